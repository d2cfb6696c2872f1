/**
 * One commit for all writes of a turn of the event loop. The commit waits for the disk while the event loop goes on; the
 * writes that arrive meanwhile share the next one.
 *
 * Each act sees those before it, and a write that fails is undone alone. None is answered before the commit is on disk.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import type { Database } from 'libsql'
import { createGroupedWrites, type GroupedWrite, type GroupedWrites, runGroup } from '../sql/grouped-writes.ts'
import { CommitUnknownError } from '../job-store.ts'
import type { Tables } from '../sql/tables.ts'
import { whenLockIsFree, type WriteLock } from './connection.ts'

/** Writes that share a commit: some ten milliseconds of the event loop, which goes on while they are synced. */
const MAX_GROUP = 20

export interface GroupCommitParts {
  readonly database: Pick<Database, 'prepare'>
  readonly lock: WriteLock
  readonly db: Kysely<Tables>
  /** The database, for the owner of the connection of `db`. */
  readonly dedicated: Kysely<Tables>
  /** Resolves once all commits are on disk. */
  readonly sync: () => Promise<void>
}

export function createGroupCommit({ database, lock, db, dedicated, sync }: GroupCommitParts): GroupedWrites {
  const savepoint = database.prepare('savepoint one')
  const undo = database.prepare('rollback to one')

  /** @returns whether it was written; if not, it has failed. */
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
   * A failure is rare: only after one does each write get a savepoint of its own.
   * @returns the writes that are to be settled.
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

  /** Null if another process is writing. */
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
    // Everything that has arrived is handled before this resolves, so its writes share the commit.
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
