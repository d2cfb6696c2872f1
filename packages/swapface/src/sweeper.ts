import type { Clock } from '../../../src/lib/time/clock.ts'
import type { JobTable } from './job-table.ts'
import type { Log } from './log.ts'
import { dayBefore } from './result-links.ts'
import type { ResultStore } from './result-store.ts'

const EVERY_MS = 86_400_000

export interface Sweeper {
  /** Waits for a sweep in progress. */
  close(): Promise<void>
}

/** Deletes finished jobs and results older than `retentionDays`: at once, then once a day. */
export function openSweeper(
  table: JobTable,
  store: ResultStore,
  retentionDays: number,
  clock: Clock,
  log: Log,
): Sweeper {
  let sweeping = sweep()
  const timer = setInterval(() => {
    sweeping = sweep()
  }, EVERY_MS).unref()

  async function sweep(): Promise<void> {
    try {
      const before = dayBefore(clock.now(), retentionDays)
      const jobs = table.forgetFinished(before)
      await store.forget(before)
      log({ event: 'swept', jobs })
    } catch (error) {
      log({ event: 'fault', during: 'sweep', error })
    }
  }

  return {
    close: () => {
      clearInterval(timer)
      return sweeping
    },
  }
}
