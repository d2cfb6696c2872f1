/** The target of a request (RFC 9112, 3.2) as the handlers expect it: a path with a query, and one Host. */
import type { IncomingMessage } from 'node:http'

const ABSOLUTE_FORM = /^https?:\/\/(?<host>[^/?#@\\\s]+)(?<rest>[/?].*)?$/is

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
