/**
 * One commit for all writes of a turn of the event loop. A commit waits for the disk, and the process waits with it;
 * whoever comes meanwhile rides on the next one.
 *
 * Each write sees those before it, and is undone alone when it fails. None is answered before the commit: what has
 * resolved is on disk.
 */
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import type { Database, Statement } from 'libsql'
import type { Tables } from '../tables.ts'

/** How long another process may hold the database for writing, and how often it is tried meanwhile. */
const LOCKED_AT_MOST_MS = 5_000
const TRY_EVERY_MS = 20

type Act<T> = (db: Kysely<Tables>) => Promise<T>

interface Waiting {
  /** Resolves to what is to be done once the group is on disk. */
  run(db: Kysely<Tables>): Promise<() => void>
  fail(error: unknown): void
}

export type Write = <T>(act: Act<T>) => Promise<T>

export function createGroupCommit(database: Database, db: Kysely<Tables>): Write {
  // Immediate: the lock is had at the beginning or not at all. A statement that finds it taken in mid-transaction stays
  // open, and no commit of this connection succeeds any more while it is.
  const begin = database.prepare('begin immediate')
  const commit = database.prepare('commit')
  const rollback = database.prepare('rollback')
  const savepoint = database.prepare('savepoint one')
  const undo = database.prepare('rollback to one')
  let waiting: Waiting[] = []
  let isAtWork = false

  /** Null when another process is writing. */
  const tryToCommit = async (group: readonly Waiting[]): Promise<readonly (() => void)[] | null> =>
    db.connection().execute(async (connection) => {
      if (!isLockTaken(begin)) return null
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
        commit.run()
        return settlements
      } catch (error) {
        // A full disk has ended the transaction already.
        if (database.inTransaction) rollback.run()
        throw error
      }
    })

  /** The event loop goes on while another process writes. */
  const commitGroup = async (group: readonly Waiting[]): Promise<readonly (() => void)[]> => {
    const until = performance.now() + LOCKED_AT_MOST_MS
    for (;;) {
      const settlements = await tryToCommit(group)
      if (settlements) return settlements
      if (performance.now() > until) throw new Error('another process has been writing to the database for too long')
      await delay(TRY_EVERY_MS)
    }
  }

  const commitWaiting = async () => {
    isAtWork = true
    while (waiting.length > 0) {
      // Whatever has come in is handled before this resolves: all of it shares the commit.
      await nextTurn()
      const group = waiting
      waiting = []
      try {
        for (const settle of await commitGroup(group)) settle()
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

/** False when another process has it. */
function isLockTaken(begin: Statement): boolean {
  try {
    begin.run()
    return true
  } catch (error) {
    if (isLocked(error)) return false
    throw error
  }
}

function isLocked(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'SQLITE_BUSY'
}
