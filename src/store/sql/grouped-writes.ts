/**
 * Writes that share commits. One group is written at a time, and the writes that arrive meanwhile wait for the next one.
 * A group takes one write of each waiting tenant in turn. The engine decides how a group is written and committed.
 */
import type { Kysely } from 'kysely'
import { settleAll } from '../../lib/async/settle-all.ts'
import type { Tables } from './tables.ts'

/** Applied as a whole or not at all. Called again if the transaction is retried. */
export type Act<T> = (db: Kysely<Tables>) => Promise<T>

/** Resolves to one result per item, in order. May be called again, so it must keep no state between calls. */
export type BatchAct<Item, Result> = (db: Kysely<Tables>, items: readonly Item[]) => Promise<readonly Result[]>

export interface GroupedWrites {
  /**
   * Runs `act` in a transaction that other writes may share; durable when it resolves. If `act` rejects, only its own
   * changes are rolled back. No other process changes the tenant's jobs until the commit. Acts of one group may run
   * concurrently.
   */
  readonly write: <T>(tenant: string, act: Act<T>) => Promise<T>
  /**
   * Returns a write whose items are collected, as a DataLoader collects keys. The items of one group go to one call of
   * `act`, in order, and no other write of the group runs meanwhile. If `act` rejects, each item is retried alone.
   */
  readonly batch: <Item, Result>(act: BatchAct<Item, Result>) => (tenant: string, item: Item) => Promise<Result>
}

/** A write that waits for its group, or is part of one. */
export interface GroupedWrite {
  readonly tenant: string
  readonly runner: Runner
  /** Resolves the write with the result of its last run. Call it after the commit. */
  settle(): void
  fail(error: unknown): void
}

/** Runs the writes that refer to it. */
interface Runner {
  readonly isBatch: boolean
  run(db: Kysely<Tables>, writes: readonly GroupedWrite[]): Promise<void>
}

/**
 * Runs a group: its acts, then its batches one after the other.
 * @param isPipelined whether acts are started together instead of one after the other.
 * @throws the first error, after everything started has settled.
 */
export async function runGroup(
  db: Kysely<Tables>,
  group: readonly GroupedWrite[],
  isPipelined: boolean,
): Promise<void> {
  const acts = group.filter(({ runner }) => !runner.isBatch)
  if (isPipelined) await settleAll(acts.map(async (one) => one.runner.run(db, [one])))
  else for (const one of acts) await one.runner.run(db, [one])
  if (acts.length === group.length) return
  for (const runner of new Set(group.map((one) => one.runner))) {
    if (!runner.isBatch) continue
    const own = group.filter((one) => one.runner === runner)
    await runner.run(db, own)
  }
}

/** Writes that wait for the next group, in the order of each tenant. */
export class WaitingWrites {
  /** Tenants in round-robin order. */
  readonly #byTenant = new Map<string, GroupedWrite[]>()

  get isEmpty(): boolean {
    return this.#byTenant.size === 0
  }

  add(write: GroupedWrite): void {
    const own = this.#byTenant.get(write.tenant)
    if (own) own.push(write)
    else this.#byTenant.set(write.tenant, [write])
  }

  /** Takes up to `count` writes, one of each tenant in turn: a thousand of one delay another by at most a group. */
  take(count: number): GroupedWrite[] {
    const taken: GroupedWrite[] = []
    // The loop visits a tenant again that was moved to the end.
    for (const [tenant, own] of this.#byTenant) {
      if (taken.length === count) break
      taken.push(...own.splice(0, 1))
      this.#byTenant.delete(tenant)
      if (own.length > 0) this.#byTenant.set(tenant, own)
    }
    return taken
  }
}

const NOTHING = () => {}

/** @param commit takes a group of the waiting writes and settles each of them. Must not reject. */
export function createGroupedWrites(commit: (waiting: WaitingWrites) => Promise<void>): GroupedWrites {
  const waiting = new WaitingWrites()
  let isWriting = false

  const commitAll = async () => {
    isWriting = true
    while (!waiting.isEmpty) await commit(waiting)
    isWriting = false
  }

  const add = (write: GroupedWrite) => {
    waiting.add(write)
    // Never rejects.
    if (!isWriting) void commitAll()
  }

  return {
    write: async (tenant, act) =>
      new Promise((resolve, reject) => {
        let settle = NOTHING
        const run: Runner['run'] = async (db) => {
          const result = await act(db)
          settle = () => resolve(result)
        }
        add({ tenant, runner: { isBatch: false, run }, settle: () => settle(), fail: reject })
      }),
    batch: (act) => createBatch(act, add),
  }
}

/** An item of a batch, and the callbacks that settle its write. */
interface Entry<Item, Result> {
  readonly item: Item
  readonly resolve: (result: Result) => void
  settle: () => void
}

function createBatch<Item, Result>(act: BatchAct<Item, Result>, add: (write: GroupedWrite) => void) {
  const entries = new WeakMap<GroupedWrite, Entry<Item, Result>>()
  const runner: Runner = {
    isBatch: true,
    run: async (db, writes) => {
      const own = writes.flatMap((write) => entries.get(write) ?? [])
      const items = own.map(({ item }) => item)
      const results = await act(db, items)
      if (results.length !== own.length) throw new TypeError('a batch must return a result for each of its items')
      for (const [n, result] of results.entries()) {
        const entry = own[n]
        if (entry) entry.settle = () => entry.resolve(result)
      }
    },
  }
  return async (tenant: string, item: Item) =>
    new Promise<Result>((resolve, reject) => {
      const entry: Entry<Item, Result> = { item, resolve, settle: NOTHING }
      const write = { tenant, runner, settle: () => entry.settle(), fail: reject }
      entries.set(write, entry)
      add(write)
    })
}
