import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { createTtlCache } from '../lib/time/ttl-cache.ts'
import type { RequestLimiter } from './limiter.ts'

export const MINUTE_S = 60
/**
 * Creates a limiter that counts for this process alone.
 * @param perMinute requests of one tenant.
 * @param now epoch milliseconds.
 */
export function createRequestLimiter(perMinute: number, now: () => number): RequestLimiter {
  return createGrantingLimiter(new RateLimiterMemory({ points: perMinute, duration: MINUTE_S }), perMinute, now)
}

/** Requests that this process may admit before `resetAt`. */
interface Grant {
  readonly size: number
  left: number
  /** Requests of the minute that remain besides this grant. */
  readonly remaining: number
  readonly resetAt: number
}

/**
 * Takes requests from the counter in chunks, so that one query serves many requests. Unused requests are not returned.
 * @param chunk requests per query.
 */
export function createGrantingLimiter(
  counter: Pick<RateLimiterMemory, 'consume' | 'points'>,
  chunk: number,
  now: () => number,
): RequestLimiter {
  const limit = counter.points
  // No grant is valid for longer than a minute.
  const grants = createTtlCache<Grant>(MINUTE_S * 1_000, now)
  const asked = new Map<string, Promise<void>>()

  const ask = async (tenant: string): Promise<void> => {
    try {
      grants.set(tenant, await consume(counter, tenant, chunk, now))
    } finally {
      asked.delete(tenant)
    }
  }

  return {
    take: async (tenant) => {
      for (;;) {
        const grant = grants.get(tenant)
        if (grant && grant.resetAt > now()) {
          const isSpent = grant.left === 0
          if (!isSpent) grant.left -= 1
          // A grant smaller than a chunk took the last requests of the minute.
          if (!isSpent || grant.size < chunk) {
            return { limit, remaining: grant.remaining + grant.left, resetAt: grant.resetAt, isSpent }
          }
        }
        const answer = asked.get(tenant) ?? ask(tenant)
        asked.set(tenant, answer)
        await answer
      }
    },
  }
}

async function consume(
  counter: Pick<RateLimiterMemory, 'consume' | 'points'>,
  tenant: string,
  points: number,
  now: () => number,
): Promise<Grant> {
  // Above the limit, the counter rejects with its result.
  const { consumedPoints, msBeforeNext } = await counter.consume(tenant, points).catch((error: unknown) => {
    if (error instanceof RateLimiterRes) return error
    throw error
  })
  const before = consumedPoints - points
  const size = Math.min(points, Math.max(0, counter.points - before))
  return { size, left: size, remaining: Math.max(0, counter.points - consumedPoints), resetAt: now() + msBeforeNext }
}
