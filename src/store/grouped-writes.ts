import type { Kysely } from 'kysely'
import type { Write } from './kysely-job-store.ts'
import type { Tables } from './tables.ts'

/** One write of a group. */
export interface GroupedWrite {
  readonly tenant: string
  /** Resolves to what is to be done once the group is committed. */
  run(db: Kysely<Tables>, sent: () => void): Promise<() => void>
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

  return async (tenant, act) =>
    new Promise((resolve, reject) => {
      waiting.push({
        tenant,
        run: async (db, sent) => {
          const result = await act(db, sent)
          return () => resolve(result)
        },
        fail: reject,
      })
      // Never rejects.
      if (!isAtWork) void commitAll()
    })
}
