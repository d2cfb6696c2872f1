/**
 * Group commit: all writes of one tick of the event loop share a commit, which is synced off the event loop. Writes
 * that arrive meanwhile share the next one.
 *
 * Each act sees the changes of those before it, and a failed write is rolled back alone. No write resolves before the
 * commit is on disk.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import type { Database } from 'libsql'
import { createGroupedWrites, type GroupedWrite, type GroupedWrites, runGroup } from '../sql/grouped-writes.ts'
import { CommitUnknownError } from '../job-store.ts'
import type { Tables } from '../sql/tables.ts'
import { whenLockIsFree, type WriteLock } from './connection.ts'

/** Writes per commit: they block the event loop for some ten milliseconds. */
const MAX_GROUP = 20

export interface GroupCommitParts {
  readonly database: Pick<Database, 'prepare'>
  readonly lock: WriteLock
  readonly db: Kysely<Tables>
  /** A Kysely instance for the holder of the connection of `db` (`openDedicatedConnection`). */
  readonly dedicated: Kysely<Tables>
  /** Resolves once all commits are on disk. */
  readonly sync: () => Promise<void>
}

export function createGroupCommit({ database, lock, db, dedicated, sync }: GroupCommitParts): GroupedWrites {
  const savepoint = database.prepare('savepoint one')
  const undo = database.prepare('rollback to one')

  /** @returns whether it was written; if not, `one` has been rejected. */
  const runAlone = async (one: GroupedWrite): Promise<boolean> => {
    savepoint.run()
    try {
      await runGroup(dedicated, [one], false)
      return true
    } catch (error) {
      undo.run()
      one.fail(error)
      return false
    }
  }

  /**
   * Runs a group. Failures are rare, so each write gets its own savepoint only after a failure.
   * @returns the writes to settle.
   */
  const run = async (group: readonly GroupedWrite[]): Promise<readonly GroupedWrite[]> => {
    savepoint.run()
    try {
      await runGroup(dedicated, group, false)
      return group
    } catch {
      undo.run()
      const written: GroupedWrite[] = []
      for (const one of group) if (await runAlone(one)) written.push(one)
      return written
    }
  }

  /** Null if another program holds the write lock. */
  const tryToCommit = async (group: readonly GroupedWrite[]): Promise<readonly GroupedWrite[] | null> =>
    db.connection().execute(async () => {
      if (!lock.tryBegin()) return null
      try {
        const written = await run(group)
        lock.commit()
        return written
      } catch (error) {
        lock.rollback()
        throw error
      }
    })

  return createGroupedWrites(async (waiting) => {
    // Everything that has arrived is handled first, so that its writes share the commit.
    await nextTurn()
    const group = waiting.take(MAX_GROUP)
    try {
      const written = await whenLockIsFree(async () => tryToCommit(group))
      await sync().catch((error: unknown) => {
        // Other connections see the commit, but the next crash may undo it.
        throw new CommitUnknownError(error, async () => true)
      })
      for (const one of written) one.settle()
    } catch (error) {
      for (const one of group) one.fail(error)
    }
  })
}
