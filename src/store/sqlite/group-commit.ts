/**
 * One commit for all writes of a turn of the event loop. A commit waits for the disk, and the process waits with it;
 * whoever comes meanwhile rides on the next one.
 *
 * Each write sees those before it, and is undone alone when it fails. None is answered before the commit: what has
 * resolved is on disk.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import type { Database } from 'libsql'
import { createGroupedWrites, type GroupedWrite } from '../grouped-writes.ts'
import type { Write } from '../engine.ts'
import type { Tables } from '../tables.ts'
import { whenLockIsFree, type WriteLock } from './write-lock.ts'

export function createGroupCommit(database: Database, lock: WriteLock, db: Kysely<Tables>): Write {
  const savepoint = database.prepare('savepoint one')
  const undo = database.prepare('rollback to one')

  /** Null when another process is writing. */
  const tryToCommit = async (group: readonly GroupedWrite[]): Promise<readonly (() => void)[] | null> =>
    db.connection().execute(async (connection) => {
      if (!lock.tryBegin()) return null
      try {
        const settlements: (() => void)[] = []
        for (const one of group) {
          savepoint.run()
          settlements.push(
            await one.run(connection, 0, new Map()).catch((error: unknown) => {
              undo.run()
              return () => one.fail(error)
            }),
          )
        }
        lock.commit()
        return settlements
      } catch (error) {
        lock.rollback()
        throw error
      }
    })

  return createGroupedWrites(async (waiting) => {
    // Whatever has come in is handled before this resolves: all of it shares the commit.
    await nextTurn()
    const group = waiting.splice(0)
    try {
      for (const settle of await whenLockIsFree(async () => tryToCommit(group))) settle()
    } catch (error) {
      for (const one of group) one.fail(error)
    }
  })
}
