/**
 * Writes that count the queue go one after the other, over all processes: a lock is held from before the counting to
 * the commit. So that a commit's time is not the price of each, those that come while one is under way share the next
 * lock and the next commit.
 */
import { sql } from 'kysely'
import { createGroupedWrites, type GroupedWrite } from '../grouped-writes.ts'
import type { Write } from '../kysely-job-store.ts'

/** An advisory lock; the tenants' are of another class. */
const QUEUE_LOCK = 1
/** How many share a commit: the lock is not held for longer than it takes to write these. */
const MAX_GROUP = 50

/** @param write carries one transaction out. */
export function createQueueWrites(write: Write): Write {
  const commit = async (group: readonly GroupedWrite[]) => {
    const settlements = await write(async (db) => {
      await sql`select pg_advisory_xact_lock(${sql.lit(QUEUE_LOCK)}, 0)`.execute(db)
      const results: (() => void)[] = []
      for (const one of group) results.push(await one.run(db))
      return results
    })
    for (const settle of settlements) settle()
  }

  return createGroupedWrites(async (waiting) => {
    const group = waiting.splice(0, MAX_GROUP)
    try {
      await commit(group)
    } catch (error) {
      // Undone together; whoever is not at fault succeeds alone.
      if (group.length === 1) group[0]?.fail(error)
      else for (const one of group) await commit([one]).catch(one.fail)
    }
  })
}
