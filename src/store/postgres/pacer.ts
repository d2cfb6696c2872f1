import { type Kysely, sql } from 'kysely'
import type { Clock } from '../../lib/clock.ts'
import type { Pacer } from '../../lib/pacer.ts'
import type { Tables } from '../tables.ts'

const now = sql<number>`extract(epoch from clock_timestamp())::double precision * 1000`

interface Waiting {
  begin(inMs: number): void
  fail(error: unknown): void
}

/** Turns for all processes on one database together, told by the database's clock: `createPacer`, in a row. */
export function createSharedPacer(db: Kysely<Tables>, perSecond: number, clock: Pick<Clock, 'delay'>): Pacer {
  const intervalMs = 1_000 / perSecond
  let waiting: Waiting[] = []

  /** @returns in how many milliseconds the last of the turns begins; null where none was free and `ifFree`. */
  const reserve = async (count: number, ifFree: boolean): Promise<number | null> => {
    const { rows } = await sql<{ last: number }>`
      update fetch_pace
      set next_at = greatest(next_at, ${now} - 1000 + ${intervalMs}::double precision) + ${count * intervalMs}::double precision
      ${ifFree ? sql`where next_at <= ${now}` : sql``}
      returning next_at - ${intervalMs}::double precision - ${now} as last
    `.execute(db)
    return rows[0]?.last ?? null
  }

  /** One statement for all who came in this turn of the event loop. */
  const reserveForAll = async () => {
    const takers = waiting
    waiting = []
    try {
      const last = (await reserve(takers.length, false)) ?? 0
      for (const [n, taker] of takers.entries()) taker.begin(last - (takers.length - 1 - n) * intervalMs)
    } catch (error) {
      for (const taker of takers) taker.fail(error)
    }
  }

  return {
    tryTake: async () => (await reserve(1, true)) !== null,
    take: async (signal) => {
      const waitMs = await new Promise<number>((resolve, reject) => {
        if (waiting.push({ begin: resolve, fail: reject }) === 1) setImmediate(() => void reserveForAll())
      })
      if (waitMs > 0) await clock.delay(waitMs, signal)
    },
  }
}
