/** The head of a request: its target (RFC 9112, 3.2), the host it is addressed to (RFC 9110, 7.2) and its headers. */
import type { IncomingMessage } from 'node:http'
import { parseUrl } from '../net/parse-url.ts'

const ABSOLUTE_FORM = /^https?:\/\/(?<host>[^/?#@\\\s]+)(?<rest>[/?].*)?$/is

/** A header that is sent once; null where there is none. @param name in lower case. */
export function readHeader({ headers }: IncomingMessage, name: string): string | null {
  const value = headers[name]
  return typeof value === 'string' ? value : null
}

/** The path of a request as it was sent: no query, nothing decoded, nothing normalised. */
export function readPath(request: IncomingMessage): string {
  const url = request.url ?? '/'
  const query = url.indexOf('?')
  return query === -1 ? url : url.slice(0, query)
}

/** What stands after the path, decoded; empty where there is nothing. */
export function readQuery(request: IncomingMessage): URLSearchParams {
  const url = request.url ?? ''
  const query = url.indexOf('?')
  return new URLSearchParams(query === -1 ? '' : url.slice(query + 1))
}

/**
 * A Host header in one spelling: lower case, without the scheme's default port and without the dot of a fully qualified
 * name. Returns null for a text that is not `host` or `host:port`.
 * @param protocol `http:` or `https:`: which port is the default one.
 */
export function normaliseHost(host: string, protocol: string): string | null {
  if (!/^(?:\[[\da-f:.]+\]|[^\s\p{Cc}/?#@\\:[\]]+)(?::\d{0,5})?$/iu.test(host)) return null
  const url = parseUrl(`${protocol}//${host}`)
  if (!url) return null
  const { hostname, port } = url
  return `${hostname.replace(/\.$/, '')}${port === '' ? '' : `:${port}`}`
}

/**
 * Whether a normalised host can only mean the machine of the client that uses it: an address in 127/8, [::1], or
 * `localhost` and the names below it (RFC 6761, 6.3). No DNS record can make another site's name such a name.
 */
export function isLoopbackHost(host: string): boolean {
  return /^(?:(?:[a-z\d-]+\.)*localhost|\[::1\]|127\.\d{1,3}\.\d{1,3}\.\d{1,3})(?::\d{1,5})?$/.test(host)
}

/**
 * Rewrites an absolute-form target, as a proxy sends it, to origin-form; its authority replaces the Host header.
 * @returns false if the request has to be answered with 400: more than one Host header, or one that is no host.
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
