/**
 * Watches one job: emits the current state, then each newer state, and ends after a final one.
 *
 * It attaches to the wake-ups first, reads second, and drops a state that is not newer. So no change between the two is
 * missed, and the last state emitted is the final one.
 */
import DataLoader from 'dataloader'
import { requireScope, type Viewer } from '../auth/viewer.ts'
import type { EventBus } from '../bus/event-bus.ts'
import { isDone, type SwapJob } from '../domain/swap-job.ts'
import type { Clock } from '../lib/time/clock.ts'
import { createAutoResetEvent } from '../lib/async/auto-reset-event.ts'
import type { JobStore } from '../store/job-store.ts'
import { pollSooner } from './lifecycle/poll-sooner.ts'
import { findVisibleJobs } from './read-jobs.ts'
import { createFeedSource, type Feed, type FeedSource } from './feed.ts'

/** Jobs per statement. */
const MAX_BATCH = 500

export interface WatcherParts {
  readonly store: Pick<JobStore, 'applyDecision' | 'findJob' | 'findJobs' | 'findOwnJobs'>
  readonly bus: Pick<EventBus, 'subscribeJob'>
  readonly clock: Clock
  /** Aborts when the program stops; pending waits then return the current state. */
  readonly stopping: AbortSignal
}

export interface Watcher {
  /** Finds the job by its gateway or upstream id; null if it is unknown or the viewer may not see it. */
  watch(viewer: Viewer, id: string): Promise<FeedSource<SwapJob> | null>
  /** Resolves to the job when it is done, or to its current state after `waitMs` or when the program stops. */
  awaitDone(job: SwapJob, waitMs: number): Promise<SwapJob>
}

export function createWatcher({ store, bus, clock, stopping }: WatcherParts): Watcher {
  /**
   * Reads that are requested and have not started. Readers that one change wakes share a read and its job object. A
   * read in progress is not shared: it may be older than the wake-up.
   */
  const upcoming = new Map<string, Promise<SwapJob | null>>()
  const rows = new DataLoader<string, SwapJob | null>(
    async (ids) => {
      for (const id of ids) upcoming.delete(id)
      return store.findJobs(ids)
    },
    { cache: false, maxBatchSize: MAX_BATCH },
  )
  const readJob = (id: string): Promise<SwapJob | null> => {
    const read = upcoming.get(id) ?? rows.load(id)
    upcoming.set(id, read)
    return read
  }

  const openFeed = (jobId: string, notify: () => void): Feed<SwapJob> => {
    const detach = bus.subscribeJob(jobId, notify)
    let shownVersion = 0
    let isOver = false
    return {
      read: async () => {
        const job = await readJob(jobId)
        if (job && job.version <= shownVersion) return null
        // Polls scheduled from now on see the watcher by themselves; only the stored time has to move.
        if (job && shownVersion === 0) await pollSooner(store, job, clock.now())
        isOver = !job || isDone(job.status)
        shownVersion = job?.version ?? shownVersion
        return job
      },
      repeat: () => {
        shownVersion -= 1
      },
      isOver: () => isOver,
      close: detach,
    }
  }

  const awaitDone = async (job: SwapJob, waitMs: number) => {
    const until = clock.now() + waitMs
    let current = job
    const signal = createAutoResetEvent()
    const detach = bus.subscribeJob(job.id, signal.notify)
    stopping.addEventListener('abort', signal.notify)
    try {
      for (;;) {
        current = (await store.findJob(job.id)) ?? current
        const leftMs = until - clock.now()
        if (isDone(current.status) || leftMs <= 0 || stopping.aborted) return current
        await signal.wait(leftMs)
      }
    } finally {
      stopping.removeEventListener('abort', signal.notify)
      detach()
      signal.close()
    }
  }

  return {
    watch: async (viewer, id) => {
      requireScope(viewer, 'swap:read')
      const [job = null] = await findVisibleJobs(store, viewer, [id])
      if (!job) return null
      return createFeedSource((notify) => openFeed(job.id, notify))
    },
    awaitDone: async (job, waitMs) => (waitMs <= 0 || isDone(job.status) ? job : awaitDone(job, waitMs)),
  }
}
