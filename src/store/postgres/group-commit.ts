/**
 * Group commit: writes that arrive while a group is being written share the next commit. A tenant's changes are
 * serialized from the assignment of a sequence to the commit, so without groups each would wait for a commit.
 *
 * Every process acquires all locks before the first write and in the same order, so there is no deadlock.
 */
import { sql } from 'kysely'
import { settleAll } from '../../lib/async/settle-all.ts'
import { CommitUnknownError } from '../job-store.ts'
import { createGroupedWrites, type GroupedWrite, type GroupedWrites, runGroup } from '../sql/grouped-writes.ts'
import type { Transaction } from './transaction.ts'

/** The classes of the advisory locks: one lock for the queue, and one for each tenant. */
const QUEUE_LOCK = 1
const TENANT_LOCKS = 2
/** Writes per commit; limits how long the locks are held. */
const MAX_GROUP = 50

/** @param locksQueue whether the writes count the queue: then all processes together write one group at a time. */
export function createGroupCommit(transaction: Transaction, locksQueue: boolean): GroupedWrites {
  const commit = async (group: readonly GroupedWrite[]) => {
    const tenants = group.map(({ tenant }) => tenant)
    await transaction(async (db) => {
      // Not awaited: the server acquires the locks before it runs the next statement of this connection.
      const locked = [
        ...(locksQueue ? [sql`select pg_advisory_xact_lock(${sql.lit(QUEUE_LOCK)}, 0)`.execute(db)] : []),
        sql`
          select pg_advisory_xact_lock(${sql.lit(TENANT_LOCKS)}, key)
          from (select distinct hashtext(tenant) as key from unnest(${tenants}::text[]) as tenant order by key) as keys
        `.execute(db),
      ]
      await settleAll([runGroup(db, group, true), ...locked])
    })
    for (const one of group) one.settle()
  }

  return createGroupedWrites(async (waiting) => {
    const group = waiting.take(MAX_GROUP)
    try {
      await commit(group)
    } catch (error) {
      // The group was rolled back. Each write is retried alone, so that only the faulty one fails. After an unknown
      // commit nothing is retried.
      if (group.length === 1 || error instanceof CommitUnknownError) for (const one of group) one.fail(error)
      else for (const one of group) await commit([one]).catch(one.fail)
    }
  })
}
