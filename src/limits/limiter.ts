import type { ResponseWithDefaults } from '../lib/http/response-with-defaults.ts'

/** The requests that a tenant has left in the current minute. */
export interface Allowance {
  readonly limit: number
  readonly remaining: number
  /** When the next minute begins, epoch milliseconds. */
  readonly resetAt: number
  /** Whether this request exceeds the limit. */
  readonly isSpent: boolean
}

export interface RequestLimiter {
  /** Counts one request. Never rejects: if the shared count is unavailable, this process counts on its own. */
  take(tenant: string): Promise<Allowance>
}

/** Sets the headers of draft-ietf-httpapi-ratelimit-headers-10, and `Retry-After` if the allowance is used up. */
export function setLimitHeaders(
  response: ResponseWithDefaults,
  { limit, remaining, resetAt, isSpent }: Allowance,
  now: number,
): void {
  const seconds = Math.max(1, Math.ceil((resetAt - now) / 1_000))
  response.addDefaults([
    'ratelimit-policy',
    `"tenant";q=${limit};w=60`,
    'ratelimit',
    `"tenant";r=${remaining};t=${seconds}`,
    ...(isSpent ? ['retry-after', String(seconds)] : []),
  ])
}
