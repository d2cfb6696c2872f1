import type { Pool } from 'pg'
import { RateLimiterMemory, RateLimiterPostgres } from 'rate-limiter-flexible'
import type { RequestLimiter } from './limiter.ts'
import { createGrantingLimiter, MINUTE_S } from './request-limiter.ts'

/** A process takes this share of the count at a time: one statement for many requests. */
const CHUNKS = 20

/**
 * Counts for all processes on one database. Each takes some requests at a time and gives none back: in a minute a
 * tenant may be given a twentieth for each process less than its due, and never more.
 */
export function createSharedRequestLimiter(pool: Pool, perMinute: number, now: () => number): RequestLimiter {
  const chunk = Math.max(1, Math.floor(perMinute / CHUNKS))
  const counter = new RateLimiterPostgres({
    storeClient: pool,
    storeType: 'pool',
    tableName: 'request_counts',
    tableCreated: true,
    points: perMinute,
    duration: MINUTE_S,
    // Until the database is back.
    insuranceLimiter: new RateLimiterMemory({ points: perMinute, duration: MINUTE_S }),
  })
  return createGrantingLimiter(counter, chunk, now)
}
