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
import type { Write } from '../kysely-job-store.ts'
import type { Tables } from '../tables.ts'
import { whenLockIsFree, type WriteLock } from './write-lock.ts'

interface Waiting {
  /** Resolves to what is to be done once the group is on disk. */
  run(db: Kysely<Tables>): Promise<() => void>
  fail(error: unknown): void
}

export function createGroupCommit(database: Database, lock: WriteLock, db: Kysely<Tables>): Write {
  const savepoint = database.prepare('savepoint one')
  const undo = database.prepare('rollback to one')
  let waiting: Waiting[] = []
  let isAtWork = false

  /** Null when another process is writing. */
  const tryToCommit = async (group: readonly Waiting[]): Promise<readonly (() => void)[] | null> =>
    db.connection().execute(async (connection) => {
      if (!lock.tryBegin()) return null
      try {
        const settlements: (() => void)[] = []
        for (const one of group) {
          savepoint.run()
          settlements.push(
            await one.run(connection).catch((error: unknown) => {
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

  const commitWaiting = async () => {
    isAtWork = true
    while (waiting.length > 0) {
      // Whatever has come in is handled before this resolves: all of it shares the commit.
      await nextTurn()
      const group = waiting
      waiting = []
      try {
        for (const settle of await whenLockIsFree(async () => tryToCommit(group))) settle()
      } catch (error) {
        for (const one of group) one.fail(error)
      }
    }
    isAtWork = false
  }

  return async (act) =>
    new Promise((resolve, reject) => {
      waiting.push({
        run: async (connection) => {
          const result = await act(connection)
          return () => resolve(result)
        },
        fail: reject,
      })
      // Never rejects.
      if (!isAtWork) void commitWaiting()
    })
}
