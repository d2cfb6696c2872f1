import type { ResponseWithDefaults } from '../lib/http/response-with-defaults.ts'

/** How much of its requests a tenant has left in the minute under way. */
export interface Allowance {
  readonly limit: number
  readonly remaining: number
  /** When the next minute begins, epoch milliseconds. */
  readonly resetAt: number
  /** Whether this request is one too many. */
  readonly isSpent: boolean
}

export interface RequestLimiter {
  /** Counts one request. Never rejects: where the count cannot be kept together with others, it is kept here. */
  take(tenant: string): Promise<Allowance>
}

/** draft-ietf-httpapi-ratelimit-headers-10, and `Retry-After` where it is used up. */
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
