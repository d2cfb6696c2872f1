/**
 * One commit for all writes of a turn of the event loop. The commit waits for the disk, and the process does not;
 * whoever comes meanwhile rides on the next one.
 *
 * Each write sees those before it, and is undone alone when it fails. None is answered before the disk has the commit:
 * what has resolved is there.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import type { Database } from 'libsql'
import { createGroupedWrites, type GroupedWrite } from '../sql/grouped-writes.ts'
import { CommitUnknownError } from '../job-store.ts'
import { type Counts, UncertainError, type Write } from '../sql/engine.ts'
import type { Tables } from '../sql/tables.ts'
import { whenLockIsFree, type WriteLock } from './write-lock.ts'

/** Writes that share a commit: some ten milliseconds of the event loop, which goes on while the disk has them. */
const MAX_GROUP = 20

export interface GroupCommitParts {
  readonly database: Pick<Database, 'prepare'>
  readonly lock: WriteLock
  readonly db: Kysely<Tables>
  /** The database as one has it who has been given the connection of `db`. */
  readonly dedicated: Kysely<Tables>
  /** Puts on disk what has been committed. */
  readonly sync: () => Promise<void>
}

export function createGroupCommit({ database, lock, db, dedicated, sync }: GroupCommitParts): Write {
  const savepoint = database.prepare('savepoint one')
  const undo = database.prepare('rollback to one')

  /** Undone alone where it fails. */
  const carryOut = async (one: GroupedWrite) => {
    savepoint.run()
    try {
      return await one.run(dedicated, 0, new Map())
    } catch (error) {
      undo.run()
      return () => one.fail(error)
    }
  }

  /** @throws where one fails: then it is not known what the others would have come to without it. */
  const carryOutTogether = async (group: readonly GroupedWrite[]) => {
    const settlements: (() => void)[] = []
    // What has been counted serves those after it too, as long as it makes no difference to them.
    let [counts, countedAt]: [Counts, number] = [new Map(), 0]
    for (const [n, one] of group.entries()) {
      const unseen = n - countedAt
      const settle = await one.run(dedicated, unseen, counts).catch((error: unknown) => {
        if (error instanceof UncertainError && unseen > 0) return null
        throw error
      })
      if (!settle) [counts, countedAt] = [new Map(), n]
      settlements.push(settle ?? (await one.run(dedicated, 0, counts)))
    }
    return settlements
  }

  /** One that fails is rare: only then is it worth its while to be able to undo each alone. */
  const carryOutAll = async (group: readonly GroupedWrite[]) => {
    savepoint.run()
    try {
      return await carryOutTogether(group)
    } catch {
      undo.run()
      const settlements: (() => void)[] = []
      for (const one of group) settlements.push(await carryOut(one))
      return settlements
    }
  }

  /** Null when another process is writing. */
  const tryToCommit = async (group: readonly GroupedWrite[]): Promise<readonly (() => void)[] | null> =>
    db.connection().execute(async () => {
      if (!lock.tryBegin()) return null
      try {
        const settlements = await carryOutAll(group)
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
    const group = waiting.take(MAX_GROUP)
    try {
      const settlements = await whenLockIsFree(async () => tryToCommit(group))
      await sync().catch((error: unknown) => {
        // Other connections see the commit, but the next crash may undo it.
        throw new CommitUnknownError(error, async () => true)
      })
      for (const settle of settlements) settle()
    } catch (error) {
      for (const one of group) one.fail(error)
    }
  })
}
