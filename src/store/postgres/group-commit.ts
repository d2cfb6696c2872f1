/**
 * One commit for the writes that come while another one is under way. A tenant's changes go one after the other, from
 * the place they are given to the commit that shows them; without groups a commit's time would be the price of each.
 *
 * Every lock is taken before the first write, in one order for everybody: nobody waits for somebody who waits for him.
 */
import { type Kysely, sql } from 'kysely'
import { createGroupedWrites, type GroupedWrite } from '../sql/grouped-writes.ts'
import { type Counts, UncertainError, type Write } from '../sql/engine.ts'
import { CommitUnknownError } from '../job-store.ts'
import type { Tables } from '../sql/tables.ts'
import type { Transaction } from './transaction.ts'

/** The classes of the advisory locks: the queue's one, and one for each tenant. */
const QUEUE_LOCK = 1
const TENANT_LOCKS = 2
/** How many share a commit: the locks are not held for longer than it takes to write these. */
const MAX_GROUP = 50

/** All at once; those that depend on others after them, one by one. */
async function runTogether(group: readonly GroupedWrite[], db: Kysely<Tables>): Promise<(() => void)[]> {
  const keys = new Set<string>()
  const counts: Counts = new Map()
  const settlements = await Promise.all(
    group.map(async ({ key, run }, unseen) => {
      if (key !== null && keys.has(key)) return null
      if (key !== null) keys.add(key)
      return run(db, unseen, counts).catch((error: unknown) => {
        if (error instanceof UncertainError) return null
        throw error
      })
    }),
  )
  const all: (() => void)[] = []
  for (const [n, one] of group.entries()) all.push(settlements[n] ?? (await one.run(db, 0, new Map())))
  return all
}

/** @param locksQueue whether the writes count the queue: then they go one after the other over all tenants. */
export function createGroupCommit(transaction: Transaction, locksQueue: boolean): Write {
  const commit = async (group: readonly GroupedWrite[]) => {
    const tenants = group.map(({ tenant }) => tenant)
    const settlements = await transaction(async (db) => {
      // What follows on this connection is carried out once they are held, whenever it is sent.
      const locked = [
        ...(locksQueue ? [sql`select pg_advisory_xact_lock(${sql.lit(QUEUE_LOCK)}, 0)`.execute(db)] : []),
        sql`
          select pg_advisory_xact_lock(${sql.lit(TENANT_LOCKS)}, key)
          from (select distinct hashtext(tenant) as key from unnest(${tenants}::text[]) as tenant order by key) as keys
        `.execute(db),
      ]
      const [settled] = await Promise.all([runTogether(group, db), ...locked])
      return settled
    })
    for (const settle of settlements) settle()
  }

  return createGroupedWrites(async (waiting) => {
    const group = waiting.take(MAX_GROUP)
    try {
      await commit(group)
    } catch (error) {
      // Undone together; the writes that are not at fault succeed alone. What may have been committed is not repeated.
      if (group.length === 1 || error instanceof CommitUnknownError) for (const one of group) one.fail(error)
      else for (const one of group) await commit([one]).catch(one.fail)
    }
  })
}
