import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { createTtlCache } from '../lib/time/ttl-cache.ts'
import type { RequestLimiter } from './limiter.ts'

export const MINUTE_S = 60
/**
 * Counts for this process alone.
 * @param perMinute requests of one tenant.
 * @param now epoch milliseconds.
 */
export function createRequestLimiter(perMinute: number, now: () => number): RequestLimiter {
  return createGrantingLimiter(new RateLimiterMemory({ points: perMinute, duration: MINUTE_S }), perMinute, now)
}

/** Requests that this process may let pass before `resetAt`. */
interface Grant {
  readonly size: number
  left: number
  /** Of the whole count, beside this grant. */
  readonly remaining: number
  readonly resetAt: number
}

/**
 * Takes many requests out of the count at a time, and gives none back: the count is asked once for all of them.
 * @param chunk how many.
 */
export function createGrantingLimiter(
  counter: Pick<RateLimiterMemory, 'consume' | 'points'>,
  chunk: number,
  now: () => number,
): RequestLimiter {
  const limit = counter.points
  // None holds for longer than a minute.
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
          // One that was given less than it asked for has had the last there was.
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
  // What is over the limit comes back as a rejection.
  const { consumedPoints, msBeforeNext } = await counter.consume(tenant, points).catch((error: unknown) => {
    if (error instanceof RateLimiterRes) return error
    throw error
  })
  const before = consumedPoints - points
  const size = Math.min(points, Math.max(0, counter.points - before))
  return { size, left: size, remaining: Math.max(0, counter.points - consumedPoints), resetAt: now() + msBeforeNext }
}
