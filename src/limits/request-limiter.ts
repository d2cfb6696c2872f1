import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import type { RequestLimiter } from './limiter.ts'

export const MINUTE_S = 60
/**
 * Counts for this process alone.
 * @param perMinute requests of one tenant.
 * @param now epoch milliseconds.
 */
export function createRequestLimiter(perMinute: number, now: () => number): RequestLimiter {
  const counter = new RateLimiterMemory({ points: perMinute, duration: MINUTE_S })
  return {
    take: async (tenant) => {
      const { size, remaining, resetAt } = await consume(counter, tenant, 1, now)
      return { limit: perMinute, remaining, resetAt, isSpent: size === 0 }
    },
  }
}

/** Requests that this process may let pass before `resetAt`. */
export interface Grant {
  readonly size: number
  left: number
  /** Of the whole count, beside this grant. */
  readonly remaining: number
  readonly resetAt: number
}

export async function consume(
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
