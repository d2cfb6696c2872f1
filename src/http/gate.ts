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
   * Whether nobody has to show who he is: then only what is addressed to this machine is taken, for a page may have its
   * own name lead to it (DNS rebinding).
   */
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

export function createGate({ publicUrl, allowedOrigins, isOpen }: GateOptions): Gate {
  const { origin: publicOrigin, host: publicHost, protocol } = new URL(publicUrl)
  const allowed = new Set(allowedOrigins)
  const standing = Object.entries({
    ...HEADERS,
    ...(protocol === 'https:' && { 'strict-transport-security': 'max-age=31536000' }),
    vary: 'Origin',
  }).flat()

  const isForUs = ({ headers: { host } }: IncomingMessage): boolean =>
    !isOpen || (host !== undefined && (host === publicHost || isLoopbackHost(host)))
  const isOwn = (origin: string, host: string | undefined): boolean =>
    origin === publicOrigin || (URL.canParse(origin) && new URL(origin).host === host)

  /** Why it is refused; null for what may come in. */
  const findOffence = (request: IncomingMessage): 'host' | 'origin' | null => {
    const { origin, host } = request.headers
    if (!isForUs(request)) return 'host'
    if (origin !== undefined) return isOwn(origin, host) || allowed.has(origin) ? null : 'origin'
    return isFromOtherSite(request) && !isForImage(request) ? 'origin' : null
  }

  return {
    admit: (request, response) => {
      response.stand(standing)
      const offence = findOffence(request)
      if (offence === 'host') {
        sendError(response, 421, 'HOST_NOT_ALLOWED', 'Without API keys only this machine is served, by its own name.')
        return false
      }
      if (offence) {
        sendError(
          response,
          403,
          'ORIGIN_NOT_ALLOWED',
          'Pages of this origin may not call. Allow it with ALLOWED_ORIGINS.',
        )
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

function isLoopbackHost(host: string): boolean {
  return /^(?:localhost|\[::1\]|127\.\d{1,3}\.\d{1,3}\.\d{1,3})(?::\d+)?$/i.test(host)
}
