/**
 * One commit for all writes of a turn of the event loop. A commit waits for the disk, and the process waits with it;
 * whoever comes meanwhile rides on the next one.
 *
 * Each write sees those before it, and is undone alone when it fails. None is answered before the commit: what has
 * resolved is on disk.
 */
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import type { Database } from 'libsql'
import { createGroupedWrites, type GroupedWrite } from '../grouped-writes.ts'
import { type Counts, UncertainError, type Write } from '../engine.ts'
import type { Tables } from '../tables.ts'
import { whenLockIsFree, type WriteLock } from './write-lock.ts'

const LONGEST_REST_MS = 5

export function createGroupCommit(database: Database, lock: WriteLock, db: Kysely<Tables>): Write {
  const savepoint = database.prepare('savepoint one')
  const undo = database.prepare('rollback to one')
  /** As long as the last commit has taken there is no other: half of the time at least is everybody else's. */
  let restUntil = 0

  /** Undone alone where it fails. Null where it depends on what was written since the counts. */
  const carryOut = async (connection: Kysely<Tables>, one: GroupedWrite, unseen: number, counts: Counts) => {
    savepoint.run()
    try {
      return await one.run(connection, unseen, counts)
    } catch (error) {
      undo.run()
      return error instanceof UncertainError && unseen > 0 ? null : () => one.fail(error)
    }
  }

  /** Null when another process is writing. */
  const tryToCommit = async (group: readonly GroupedWrite[]): Promise<readonly (() => void)[] | null> =>
    db.connection().execute(async (connection) => {
      if (!lock.tryBegin()) return null
      try {
        const settlements: (() => void)[] = []
        // What has been counted serves those after it too, as long as it makes no difference to them.
        let [counts, countedAt]: [Counts, number] = [new Map(), 0]
        for (const [n, one] of group.entries()) {
          let settle = await carryOut(connection, one, n - countedAt, counts)
          if (!settle) {
            ;[counts, countedAt] = [new Map(), n]
            settle = await carryOut(connection, one, 0, counts)
          }
          if (settle) settlements.push(settle)
        }
        const from = performance.now()
        lock.commit()
        const tookMs = performance.now() - from
        restUntil = from + tookMs + Math.min(tookMs, LONGEST_REST_MS)
        return settlements
      } catch (error) {
        lock.rollback()
        throw error
      }
    })

  return createGroupedWrites(async (waiting) => {
    // Whatever has come in is handled before this resolves: all of it shares the commit.
    await nextTurn()
    const restMs = restUntil - performance.now()
    if (restMs > 0) await delay(restMs)
    const group = waiting.splice(0)
    try {
      for (const settle of await whenLockIsFree(async () => tryToCommit(group))) settle()
    } catch (error) {
      for (const one of group) one.fail(error)
    }
  })
}
