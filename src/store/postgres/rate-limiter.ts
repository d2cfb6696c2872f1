import { type Kysely, sql } from 'kysely'
import type { Clock } from '../../lib/time/clock.ts'
import { type RateLimiter, toRateWindow } from '../../lib/time/rate-limiter.ts'
import type { Tables } from '../sql/tables.ts'

const now = sql<number>`extract(epoch from clock_timestamp())::double precision * 1000`

interface Waiting {
  begin(inMs: number): void
  fail(error: unknown): void
}

/**
 * A rate limiter shared by all processes on one database, by its clock: `createRateLimiter` with its state in one row.
 */
export function createSharedRateLimiter(
  db: Kysely<Tables>,
  perSecond: number,
  clock: Pick<Clock, 'delay'>,
): RateLimiter {
  const { permits, windowMs } = toRateWindow(perSecond)
  let waiting: Waiting[] = []

  /**
   * @param count at most `permits`.
   * @returns in how many milliseconds each permit begins; empty if `ifFree` and no permit was free.
   */
  const reserve = async (count: number, ifFree: boolean): Promise<readonly number[]> => {
    // The start times of the latest `permits` permits; a missing one counts as 0.
    const known = sql`(array_fill(0::double precision, array[${permits}::int]) || begins_at)`
    const last = sql`${known}[cardinality(begins_at) + 1:]`
    const { rows } = await sql<{ begins: number[]; now: number }>`
      update fetch_pace
      set begins_at = (${last})[${count}::int + 1:] || array(
        select greatest(at + ${windowMs}::double precision, ${now})
        from unnest((${last})[1:${count}::int]) with ordinality as permit (at, n) order by n
      )
      ${ifFree ? sql`where (${last})[1] + ${windowMs}::double precision <= ${now}` : sql``}
      returning begins_at[cardinality(begins_at) - ${count}::int + 1:] as begins, ${now} as now
    `.execute(db)
    const [row] = rows
    return row ? row.begins.map((at) => at - row.now) : []
  }

  /** Reserves for all callers of this tick of the event loop, with one statement for each window that they fill. */
  const reserveForAll = async () => {
    const takers = waiting
    waiting = []
    while (takers.length > 0) {
      const some = takers.splice(0, permits)
      try {
        const begins = await reserve(some.length, false)
        for (const [n, taker] of some.entries()) taker.begin(begins[n] ?? 0)
      } catch (error) {
        for (const taker of some) taker.fail(error)
      }
    }
  }

  return {
    tryTake: async () => (await reserve(1, true)).length > 0,
    take: async (signal) => {
      const waitMs = await new Promise<number>((resolve, reject) => {
        if (waiting.push({ begin: resolve, fail: reject }) === 1) setImmediate(() => void reserveForAll())
      })
      if (waitMs > 0) await clock.delay(waitMs, signal)
    },
  }
}
