/**
 * One commit for the writes that arrive while another group is written. Changes of one tenant are written one after the
 * other, from the assignment of a position to the commit that shows it; without groups each would wait for a commit.
 *
 * Every lock is taken before the first write, in the same order by every process, so no two wait for each other.
 */
import { sql } from 'kysely'
import { settleAll } from '../../lib/async/settle-all.ts'
import { CommitUnknownError } from '../job-store.ts'
import { createGroupedWrites, type GroupedWrite, type GroupedWrites, runGroup } from '../sql/grouped-writes.ts'
import type { Transaction } from './transaction.ts'

/** The classes of the advisory locks: one lock for the queue, and one for each tenant. */
const QUEUE_LOCK = 1
const TENANT_LOCKS = 2
/** Writes that share a commit: the locks are held for as long as writing these takes. */
const MAX_GROUP = 50

/** @param locksQueue whether the writes count the queue: then one group of all processes is written at a time. */
export function createGroupCommit(transaction: Transaction, locksQueue: boolean): GroupedWrites {
  const commit = async (group: readonly GroupedWrite[]) => {
    const tenants = group.map(({ tenant }) => tenant)
    await transaction(async (db) => {
      // The server holds the locks before it runs the next statement of this connection, which is sent without waiting.
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
      // All were undone; each is written again alone, so that only the one at fault fails. After an unknown commit none is repeated.
      if (group.length === 1 || error instanceof CommitUnknownError) for (const one of group) one.fail(error)
      else for (const one of group) await commit([one]).catch(one.fail)
    }
  })
}
