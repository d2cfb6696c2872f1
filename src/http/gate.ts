/**
 * What every request passes before a door: the headers that every answer has, and where in the browser's world it comes
 * from. What is no browser sends neither `Origin` nor `Sec-Fetch-Site`, and passes. No answer may be read by a page of
 * another origin than ours and those that the operator allows.
 */
import type { IncomingMessage } from 'node:http'
import { sendError } from './respond.ts'
import type { StandingResponse } from '../lib/standing-response.ts'

export interface GateOptions {
  /** How callers reach the gateway. */
  readonly publicUrl: string
  /** Origins of pages that may call, beside our own. */
  readonly allowedOrigins: readonly string[]
  /**
   * Whether only the hosts of `publicUrl` and loopback are served, because the operator has set no keys: a page may make
   * its own name resolve to this machine (DNS rebinding).
   */
  readonly checksHost: boolean
  /** Whether callers need no credential. Then a request to a loopback host must come from this machine itself. */
  readonly isOpen: boolean
}

export interface Gate {
  /** False when the request has been answered: refused, or a preflight. */
  admit(request: IncomingMessage, response: StandingResponse): boolean
  /** Whether a WebSocket may be opened from where the request comes. */
  admitsUpgrade(request: IncomingMessage): boolean
}

/** Never sniffed, framed, referred to or kept by others; what is not a page loads nothing. */
const HEADERS: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
  'cache-control': 'private, no-store',
}
const PREFLIGHT_HEADERS: Readonly<Record<string, string>> = {
  'access-control-allow-methods': 'GET, POST, PUT, OPTIONS',
  'access-control-allow-headers': 'authorization, content-type, idempotency-key, x-api-key',
  'access-control-max-age': '600',
}
const EXPOSED_HEADERS = 'ratelimit, ratelimit-policy, retry-after'

type Offence = 'host' | 'proxy' | 'origin'

const REFUSALS: Readonly<
  Record<Offence, { readonly status: number; readonly code: string; readonly message: string }>
> = {
  host: {
    status: 421,
    code: 'HOST_NOT_ALLOWED',
    message:
      'This gateway has no API_KEYS, so it serves only the host of PUBLIC_URL and loopback. Set PUBLIC_URL, or API_KEYS, to use this host.',
  },
  proxy: {
    status: 421,
    code: 'PROXY_NOT_ALLOWED',
    message:
      'This request came through a proxy, and without API_KEYS the gateway serves only this machine. Set API_KEYS to serve others.',
  },
  origin: {
    status: 403,
    code: 'ORIGIN_NOT_ALLOWED',
    message: 'Pages of this origin may not call. Allow it with ALLOWED_ORIGINS.',
  },
}

export function createGate({ publicUrl, allowedOrigins, checksHost, isOpen }: GateOptions): Gate {
  const { origin: publicOrigin, host: publicHost, protocol } = new URL(publicUrl)
  const allowed = new Set(allowedOrigins)
  const standing = Object.entries({
    ...HEADERS,
    ...(protocol === 'https:' && { 'strict-transport-security': 'max-age=31536000' }),
    vary: 'Origin',
  }).flat()

  const findHostOffence = ({ headers }: IncomingMessage): 'host' | 'proxy' | null => {
    const { host = '' } = headers
    if (!checksHost) return null
    if (isLoopbackHost(host)) return isOpen && isForwarded(headers) ? 'proxy' : null
    return host === publicHost ? null : 'host'
  }
  const isOwn = (origin: string, host: string | undefined): boolean =>
    origin === publicOrigin || (URL.canParse(origin) && new URL(origin).host === host)

  /** Why it is refused; null for what may come in. */
  const findOffence = (request: IncomingMessage): Offence | null => {
    const { origin, host } = request.headers
    const hostOffence = findHostOffence(request)
    if (hostOffence) return hostOffence
    if (origin !== undefined) return isOwn(origin, host) || allowed.has(origin) ? null : 'origin'
    return isFromOtherSite(request) && !isForImage(request) ? 'origin' : null
  }

  return {
    admit: (request, response) => {
      response.stand(standing)
      const offence = findOffence(request)
      if (offence) {
        const { status, code, message } = REFUSALS[offence]
        sendError(response, status, code, message)
        return false
      }
      const { origin } = request.headers
      if (origin !== undefined && allowed.has(origin)) {
        response.setHeader('access-control-allow-origin', origin)
        response.setHeader('access-control-expose-headers', EXPOSED_HEADERS)
      }
      if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) return true
      response.writeHead(204, PREFLIGHT_HEADERS).end()
      return false
    },
    admitsUpgrade: (request) => findOffence(request) === null,
  }
}

/** Signed addresses of images are made to be put into pages, wherever these are from. */
export const IMAGES_PREFIX = '/images/'

function isForImage({ url, method }: IncomingMessage): boolean {
  return url?.startsWith(IMAGES_PREFIX) === true && (method === 'GET' || method === 'HEAD')
}

/** What a page of another site has its visitor's browser ask for without a script; a link that is followed is not. */
function isFromOtherSite({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site']
  if (site === undefined || site === 'same-origin' || site === 'none') return false
  return headers['sec-fetch-mode'] !== 'navigate' || headers['sec-fetch-dest'] !== 'document'
}

/** Proxies, tunnels and CDNs say with these that they pass on another machine's request. */
const FORWARDING_HEADERS =
  /^(?:forwarded|via|x-forwarded(?:-.*)?|x-real-ip|x-original-host|true-client-ip|cf-.*|cdn-loop)$/

function isForwarded(headers: IncomingMessage['headers']): boolean {
  return Object.keys(headers).some((name) => FORWARDING_HEADERS.test(name))
}

function isLoopbackHost(host: string): boolean {
  return /^(?:localhost|\[::1\]|127\.\d{1,3}\.\d{1,3}\.\d{1,3})(?::\d+)?$/i.test(host)
}
