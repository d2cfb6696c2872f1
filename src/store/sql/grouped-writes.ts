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

/** Writes that wait for the next group, in the order of each tenant. */
export class WaitingWrites {
  /** In the order in which the tenants' turns come. */
  readonly #byTenant = new Map<string, GroupedWrite[]>()

  get isEmpty(): boolean {
    return this.#byTenant.size === 0
  }

  add(write: GroupedWrite): void {
    const own = this.#byTenant.get(write.tenant)
    if (own) own.push(write)
    else this.#byTenant.set(write.tenant, [write])
  }

  /** Takes up to `count` of them, one of each tenant in turn: one with a thousand delays no other by more than a group. */
  take(count: number): GroupedWrite[] {
    const taken: GroupedWrite[] = []
    // A tenant that goes to the end is visited again.
    for (const [tenant, own] of this.#byTenant) {
      if (taken.length === count) break
      taken.push(...own.splice(0, 1))
      this.#byTenant.delete(tenant)
      if (own.length > 0) this.#byTenant.set(tenant, own)
    }
    return taken
  }
}

/**
 * Writes that share commits: one group is under way at a time, and writes that arrive meanwhile wait for the next.
 * @param commit takes a group of the waiting writes and settles each. Must not reject.
 */
export function createGroupedWrites(commit: (waiting: WaitingWrites) => Promise<void>): Write {
  const waiting = new WaitingWrites()
  let isAtWork = false

  const commitAll = async () => {
    isAtWork = true
    while (!waiting.isEmpty) await commit(waiting)
    isAtWork = false
  }

  return async (tenant, act, key = null) =>
    new Promise((resolve, reject) => {
      waiting.add({
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
