/** The lock that one process at a time writes under. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Database } from 'libsql'
import { readErrorCode } from '../../lib/error-code.ts'

/** How long another process may hold it, and how often it is tried meanwhile. */
const HELD_AT_MOST_MS = 5_000
const TRY_EVERY_MS = 20

/**
 * Resolves to what `act` gives once it gives something: null says that another process has the lock. The event loop
 * goes on between tries. @throws when the lock is not given back.
 */
export async function whenLockIsFree<T>(act: () => Promise<T | null>): Promise<T> {
  const until = performance.now() + HELD_AT_MOST_MS
  for (;;) {
    const result = await act()
    if (result !== null) return result
    if (performance.now() > until) {
      const error = new Error('another program has kept the database locked for too long')
      throw Object.assign(error, { code: 'SQLITE_BUSY' })
    }
    await delay(TRY_EVERY_MS)
  }
}

export interface WriteLock {
  /**
   * Begins a transaction that has the lock; false when another process has it. Immediate: a statement that finds it
   * taken in mid-transaction stays open, and no commit of this connection succeeds any more while it is.
   */
  tryBegin(): boolean
  commit(): void
  rollback(): void
}

export function createWriteLock(database: Database): WriteLock {
  const begin = database.prepare('begin immediate')
  const commit = database.prepare('commit')
  const rollback = database.prepare('rollback')
  return {
    tryBegin: () => {
      try {
        begin.run()
        return true
      } catch (error) {
        if (readErrorCode(error) === 'SQLITE_BUSY') return false
        throw error
      }
    },
    commit: () => {
      commit.run()
    },
    rollback: () => {
      // A full disk has ended the transaction already.
      if (database.inTransaction) rollback.run()
    },
  }
}
