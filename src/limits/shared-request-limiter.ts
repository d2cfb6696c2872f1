import type { Pool } from 'pg'
import { RateLimiterMemory, RateLimiterPostgres } from 'rate-limiter-flexible'
import type { RequestLimiter } from './limiter.ts'
import { createGrantingLimiter, MINUTE_S } from './request-limiter.ts'

/** A process takes a twentieth of the count at a time: one statement for many requests. */
const CHUNKS = 20

/**
 * Creates a limiter that counts for all processes on one database. Each process takes requests in chunks and returns
 * none. So in a minute a tenant may get up to a twentieth per process less than its limit, and never more while the
 * database is available.
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
    // Counts per process while the database is unavailable.
    insuranceLimiter: new RateLimiterMemory({ points: perMinute, duration: MINUTE_S }),
  })
  return createGrantingLimiter(counter, chunk, now)
}
