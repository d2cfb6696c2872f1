/**
 * The checks that every request passes before its handler: the headers that every response carries, the host that the
 * request is addressed to, and the web page that it comes from. Clients other than browsers send neither `Origin` nor
 * `Sec-Fetch-Site` and pass. Pages of other origins can read no response, except those of allowed origins.
 */
import type { IncomingMessage } from 'node:http'
import { isLoopbackHost, normaliseHost } from '../lib/http/request-head.ts'
import type { ResponseWithDefaults } from '../lib/http/response-with-defaults.ts'
import { createOriginPolicy, type OriginPolicyOptions } from './origin-policy.ts'
import { sendError } from './respond.ts'

export interface RequestChecksOptions extends OriginPolicyOptions {
  /**
   * Whether to serve only the hosts of `publicUrl` and loopback, because the operator has set no keys. Otherwise a page
   * could make its own name resolve to this machine (DNS rebinding).
   */
  readonly checksHost: boolean
}

/** Why a request is refused. */
export interface Offence {
  readonly status: 403 | 421
  readonly code: string
  readonly message: string
}

export interface RequestChecks {
  /** False if the response has been sent: the request was refused, or it was a preflight. */
  admit(request: IncomingMessage, response: ResponseWithDefaults): boolean
  /** Why a WebSocket must not be opened; null if it may. */
  refuseUpgrade(request: IncomingMessage): Offence | null
}

/** Default headers: no sniffing, framing, referrer or caching. Content may load nothing; pages override that policy. */
const HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
  'cache-control': 'private, no-store',
}
const PREFLIGHT_HEADERS: Readonly<Record<string, string>> = {
  'access-control-allow-methods': 'GET, HEAD, POST, PUT, OPTIONS',
  'access-control-max-age': '600',
  vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
}
const EXPOSED_HEADERS = 'ratelimit, ratelimit-policy, retry-after, x-request-id'
/** The headers allowed by a preflight that requests none, or an invalid or too long list. */
const DEFAULT_REQUEST_HEADERS = 'authorization, content-type, idempotency-key, x-api-key'
const MAX_REQUESTED_CHARS = 2_048

const OTHER_HOST: Offence = {
  status: 421,
  code: 'HOST_NOT_ALLOWED',
  message:
    'This gateway has no API_KEYS, so it serves only the host of PUBLIC_URL and loopback. Set PUBLIC_URL, or API_KEYS, to use this host.',
}
const PROXIED: Offence = {
  status: 421,
  code: 'PROXY_NOT_ALLOWED',
  message:
    'This request came through a proxy, and without API_KEYS the gateway serves only this machine. Set API_KEYS to serve others.',
}
const OTHER_ORIGIN: Offence = {
  status: 403,
  code: 'ORIGIN_NOT_ALLOWED',
  message: 'Pages of this origin may not call the gateway. Add the origin to ALLOWED_ORIGINS.',
}
const NO_ORIGIN: Offence = {
  status: 403,
  code: 'ORIGIN_NOT_ALLOWED',
  message:
    'The page has no origin (it is a local file or a sandboxed frame), so it cannot be allowed. Serve it over http or https.',
}
const OTHER_SITE: Offence = {
  status: 403,
  code: 'CROSS_SITE_REQUEST',
  message:
    'A page of another site may only embed images. Call the gateway with fetch, from an origin in ALLOWED_ORIGINS.',
}

export function createRequestChecks(options: RequestChecksOptions): RequestChecks {
  const { publicUrl, isOpen, checksHost } = options
  const { host: publicHost, protocol } = new URL(publicUrl)
  const origins = createOriginPolicy(options)
  const defaults = Object.entries({
    ...HEADERS,
    ...(protocol === 'https:' && { 'strict-transport-security': 'max-age=31536000' }),
    vary: 'Origin',
  }).flat()

  const findHostOffence = ({ headers }: IncomingMessage): Offence | null => {
    if (!checksHost) return null
    const { host = '' } = headers
    const asked = normaliseHost(host, protocol)
    if (asked !== null && isLoopbackHost(asked)) return isOpen && isForwarded(headers) ? PROXIED : null
    return host === publicHost || asked === publicHost ? null : OTHER_HOST
  }

  const findOffence = (request: IncomingMessage): Offence | null => {
    const { origin, host } = request.headers
    const hostOffence = findHostOffence(request)
    if (hostOffence) return hostOffence
    if (origin === undefined) return isFromOtherSite(request) && !isForImage(request) ? OTHER_SITE : null
    if (origins.allows(origin, host)) return null
    return origin === 'null' ? NO_ORIGIN : OTHER_ORIGIN
  }

  return {
    admit: (request, response) => {
      response.addDefaults(defaults)
      const offence = findOffence(request)
      if (offence) {
        sendError(response, offence.status, offence.code, offence.message)
        return false
      }
      const { origin } = request.headers
      if (origin !== undefined) {
        response.setHeader('access-control-allow-origin', origin)
        response.setHeader('access-control-expose-headers', EXPOSED_HEADERS)
      }
      if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) return true
      const allowed = toAllowedHeaders(request.headers['access-control-request-headers'])
      response.writeHead(204, { ...PREFLIGHT_HEADERS, 'access-control-allow-headers': allowed }).end()
      return false
    },
    refuseUpgrade: findOffence,
  }
}

/**
 * Returns the header names that a preflight requests. An allowed origin may send any of them: client libraries add
 * their own headers, and no header but the credentials gives access.
 */
function toAllowedHeaders(requested: string | undefined): string {
  if (requested === undefined || requested.length > MAX_REQUESTED_CHARS) return DEFAULT_REQUEST_HEADERS
  const names = requested.split(',').map((name) => name.trim())
  return names.every((name) => /^[!#$%&'*+.^_`|~\w-]+$/.test(name)) ? names.join(', ') : DEFAULT_REQUEST_HEADERS
}

/** Signed addresses of images may be embedded in pages of any site. */
export const IMAGES_PREFIX = '/images/'

function isForImage({ url, method }: IncomingMessage): boolean {
  return url?.startsWith(IMAGES_PREFIX) === true && (method === 'GET' || method === 'HEAD')
}

/** Whether a page of another site embeds or frames the response. Following a link is allowed. */
function isFromOtherSite({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site']
  if (site === undefined || site === 'same-origin' || site === 'none') return false
  return headers['sec-fetch-mode'] !== 'navigate' || headers['sec-fetch-dest'] !== 'document'
}

/** Headers with which proxies, tunnels and CDNs mark a forwarded request. */
const FORWARDING_HEADERS =
  /^(?:forwarded|via|x-forwarded(?:-.*)?|x-real-ip|x-original-host|true-client-ip|cf-.*|cdn-loop)$/

function isForwarded(headers: IncomingMessage['headers']): boolean {
  return Object.keys(headers).some((name) => FORWARDING_HEADERS.test(name))
}
