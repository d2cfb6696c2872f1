import type { Kysely } from 'kysely'
import type { Counts, Write } from './engine.ts'
import type { Tables } from './tables.ts'

/** One write of a group. */
export interface GroupedWrite {
  readonly tenant: string
  readonly key: string | null
  /** Resolves to what is to be done once the group is committed. */
  run(db: Kysely<Tables>, unseen: number, counts: Counts): Promise<() => void>
  fail(error: unknown): void
}

/**
 * Writes that share commits: one group is under way at a time, and whoever comes meanwhile waits for the next.
 * @param commit takes the first of those that wait out of the list, and settles each of them. Must not reject.
 */
export function createGroupedWrites(commit: (waiting: GroupedWrite[]) => Promise<void>): Write {
  const waiting: GroupedWrite[] = []
  let isAtWork = false

  const commitAll = async () => {
    isAtWork = true
    while (waiting.length > 0) await commit(waiting)
    isAtWork = false
  }

  return async (tenant, act, key = null) =>
    new Promise((resolve, reject) => {
      waiting.push({
        tenant,
        key,
        run: async (db, unseen, counts) => {
          const result = await act(db, unseen, counts)
          return () => resolve(result)
        },
        fail: reject,
      })
      // Never rejects.
      if (!isAtWork) void commitAll()
    })
}
