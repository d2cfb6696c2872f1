/** The head of a request: its target (RFC 9112, 3.2), the host it is addressed to (RFC 9110, 7.2) and its headers. */
import type { IncomingMessage } from 'node:http'
import { parseUrl } from '../net/parse-url.ts'

const ABSOLUTE_FORM = /^https?:\/\/(?<host>[^/?#@\\\s]+)(?<rest>[/?].*)?$/is

/** Returns the value of a header, null if it is absent or a list. @param name in lower case. */
export function readHeader({ headers }: IncomingMessage, name: string): string | null {
  const value = headers[name]
  return typeof value === 'string' ? value : null
}

/** Returns the raw path of a request: without the query, not decoded, not normalised. */
export function readPath(request: IncomingMessage): string {
  const url = request.url ?? '/'
  const query = url.indexOf('?')
  return query === -1 ? url : url.slice(0, query)
}

/** Returns the decoded query parameters of a request; empty if it has none. */
export function readQuery(request: IncomingMessage): URLSearchParams {
  const url = request.url ?? ''
  const query = url.indexOf('?')
  return new URLSearchParams(query === -1 ? '' : url.slice(query + 1))
}

/**
 * Normalises a Host header: lower case, without the scheme's default port and without the dot of a fully qualified
 * name. Returns null if the text is not `host` or `host:port`.
 * @param protocol `http:` or `https:`; decides the default port.
 */
export function normaliseHost(host: string, protocol: string): string | null {
  if (!/^(?:\[[\da-f:.]+\]|[^\s\p{Cc}/?#@\\:[\]]+)(?::\d{0,5})?$/iu.test(host)) return null
  const url = parseUrl(`${protocol}//${host}`)
  if (!url) return null
  const { hostname, port } = url
  return `${hostname.replace(/\.$/, '')}${port === '' ? '' : `:${port}`}`
}

/**
 * Returns whether a normalised host is loopback: an address in 127/8, [::1], `localhost`, or a name below it (RFC 6761,
 * 6.3). No DNS record can give another site a loopback name.
 */
export function isLoopbackHost(host: string): boolean {
  return /^(?:(?:[a-z\d-]+\.)*localhost|\[::1\]|127\.\d{1,3}\.\d{1,3}\.\d{1,3})(?::\d{1,5})?$/.test(host)
}

/**
 * Rewrites an absolute-form target, as a proxy sends it, to origin-form; its authority replaces the Host header.
 * @returns false if the request must get 400: it has more than one Host header, or an invalid one.
 */
export function normaliseTarget(request: IncomingMessage): boolean {
  if (countHosts(request.rawHeaders) > 1) return false
  const { url = '/', headers } = request
  if (!url.startsWith('/')) {
    const { host, rest = '/' } = ABSOLUTE_FORM.exec(url)?.groups ?? {}
    if (host !== undefined) {
      headers.host = host
      request.url = rest.startsWith('/') ? rest : `/${rest}`
    }
  }
  return !/[\s/?#@\\,]/.test(headers.host ?? '')
}

function countHosts(rawHeaders: readonly string[]): number {
  let hosts = 0
  for (let n = 0; n < rawHeaders.length; n += 2) {
    const name = rawHeaders[n] ?? ''
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1
  }
  return hosts
}
