/**
 * Decides which web pages may call the gateway: pages of its own origin, of the origins in ALLOWED_ORIGINS and, when the
 * request is addressed to a loopback name of a gateway without keys, pages of any loopback origin. A `null` origin
 * (sandboxed frames, local files) is never allowed: any page can have it. Requests without `Origin` do not come
 * from a cross-origin script and are not this file's concern.
 */
import { isLoopbackHost, normaliseHost } from '../lib/http/request-head.ts'
import { parseUrl } from '../lib/net/parse-url.ts'

/** Refused origins that are logged, each once: a hostile page can invent any number of them. */
const MAX_LOGGED_ORIGINS = 100
const MAX_LOGGED_CHARS = 200

export interface OriginPolicyOptions {
  /** How callers reach the gateway. */
  readonly publicUrl: string
  /** Serialised origins (RFC 6454, 6.2) of pages that may call in addition to the gateway's own, in lower case. */
  readonly allowedOrigins: readonly string[]
  /** Whether the gateway requires no credentials; it then listens on loopback only. */
  readonly isOpen: boolean
  /** Called at most once per origin, and for at most 100 origins. */
  readonly onRefused: (origin: string) => void
}

export interface OriginPolicy {
  /** @param host the Host header of the request, as sent. */
  allows(origin: string, host: string | undefined): boolean
}

export function createOriginPolicy({
  publicUrl,
  allowedOrigins,
  isOpen,
  onRefused,
}: OriginPolicyOptions): OriginPolicy {
  const allowed = new Set([new URL(publicUrl).origin, ...allowedOrigins])
  const logged = new Set<string>()

  const isAllowed = (origin: string, host: string | undefined): boolean => {
    if (allowed.has(origin.toLowerCase())) return true
    if (!/^https?:\/\/[^/?#@\\]+$/i.test(origin) || host === undefined) return false
    const page = parseUrl(origin)
    if (!page) return false
    const asked = normaliseHost(host, page.protocol)
    if (asked === null) return false
    // Both hosts are loopback, so the page and the gateway are on the visitor's own machine.
    return (
      asked === normaliseHost(page.host, page.protocol) ||
      (isOpen && isLoopbackHost(page.host) && isLoopbackHost(asked))
    )
  }

  return {
    allows: (origin, host) => {
      if (isAllowed(origin, host)) return true
      const name = origin.slice(0, MAX_LOGGED_CHARS)
      if (logged.size < MAX_LOGGED_ORIGINS && !logged.has(name)) {
        logged.add(name)
        onRefused(name)
      }
      return false
    },
  }
}
