/**
 * Writes that count the queue go one after the other, over all processes: a lock is held from before the counting to
 * the commit. So that a commit's time is not the price of each, those that come while one is under way share the next
 * lock and the next commit.
 */
import { type Kysely, sql } from 'kysely'
import type { Tables } from '../tables.ts'
import type { Write } from '../kysely-job-store.ts'

/** An advisory lock; the tenants' are of another class. */
const QUEUE_LOCK = 1
/** How many share a commit: the lock is not held for longer than it takes to write these. */
const MAX_GROUP = 50

interface Waiting {
  /** Resolves to what is to be done after the commit. */
  run(db: Kysely<Tables>): Promise<() => void>
  fail(error: unknown): void
}

/** @param write carries one transaction out. */
export function createQueueWrites(write: Write): Write {
  const waiting: Waiting[] = []
  let isAtWork = false

  const commit = async (group: readonly Waiting[]) => {
    const settlements = await write(async (db) => {
      await sql`select pg_advisory_xact_lock(${sql.lit(QUEUE_LOCK)}, 0)`.execute(db)
      const results: (() => void)[] = []
      for (const one of group) results.push(await one.run(db))
      return results
    })
    for (const settle of settlements) settle()
  }

  const commitAll = async () => {
    isAtWork = true
    while (waiting.length > 0) {
      const group = waiting.splice(0, MAX_GROUP)
      try {
        await commit(group)
      } catch (error) {
        // Undone together; whoever is not at fault succeeds alone.
        if (group.length === 1) group[0]?.fail(error)
        else for (const one of group) await commit([one]).catch(one.fail)
      }
    }
    isAtWork = false
  }

  return async (act) =>
    new Promise((resolve, reject) => {
      waiting.push({
        run: async (db) => {
          const result = await act(db)
          return () => resolve(result)
        },
        fail: reject,
      })
      // Never rejects.
      if (!isAtWork) void commitAll()
    })
}
