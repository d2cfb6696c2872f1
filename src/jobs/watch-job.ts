/**
 * Watching one job: the state now, then each newer state, then one with a final status, then the end.
 *
 * The order is the promise: attach to the wake-ups first, read second, drop what is not newer. A change between the
 * read and the attachment cannot be missed that way. Nothing is queued for a slow reader: when it asks it is given the
 * newest state, and a final state is always the newest.
 */
import type { Viewer } from '../auth/viewer.ts'
import type { EventBus } from '../bus/event-bus.ts'
import { WATCHED_EVERY_MS } from '../domain/poll-schedule.ts'
import { isDone, type SwapJob } from '../domain/swap-job.ts'
import type { Clock } from '../lib/clock.ts'
import { createWakeSignal } from '../lib/wake-signal.ts'
import type { JobStore } from '../store/job-store.ts'

/** While nothing changes the state is repeated this often, so that a silent line can be told from a quiet job. */
const REPEAT_AFTER_MS = 30_000

export interface WatcherParts {
  readonly store: Pick<JobStore, 'applyDecision' | 'findJob' | 'findOwnJobs'>
  readonly bus: Pick<EventBus, 'subscribe'>
  readonly clock: Clock
  /** Aborts when the program stops: whoever waits then is given the state as it is. */
  readonly stopping: AbortSignal
}

export interface Watcher {
  /**
   * Watches the viewer's own job, by its gateway id or upstream id; null for an unknown job and for a foreign one.
   * Attached when this resolves, not at the first `next()`. Ends by itself after a final state; `return()` ends it early.
   */
  watch(viewer: Viewer, id: string): Promise<AsyncIterableIterator<SwapJob> | null>
  /** Resolves to the job when it is done, or as it is after `waitMs` or when the program stops. */
  awaitDone(job: SwapJob, waitMs: number): Promise<SwapJob>
}

export function createWatcher({ store, bus, clock, stopping }: WatcherParts): Watcher {
  /** A job that is watched from now on is looked at soon, even where its schedule has grown long. */
  const lookSoon = async (job: SwapJob) => {
    const soon = clock.now() + WATCHED_EVERY_MS
    if (job.status !== 'ON_QUEUE' || job.wakeAt === null || job.wakeAt <= soon) return
    await store.applyDecision(job, { kind: 'note', patch: { wakeAt: soon } }, clock.now(), 'CALLER')
  }

  const attach = (jobId: string) => {
    const signal = createWakeSignal()
    const detach = bus.subscribe(jobId, signal.ring)
    return {
      signal,
      close: () => {
        detach()
        signal.close()
      },
    }
  }

  const attachAndIterate = (jobId: string): AsyncIterableIterator<SwapJob> => {
    const { signal, close } = attach(jobId)
    let shown: SwapJob | null = null
    let ended = false
    const end = () => {
      ended = true
      close()
      return { done: true, value: undefined } as const
    }
    const next = async (): Promise<IteratorResult<SwapJob>> => {
      if (ended || (shown && isDone(shown.status))) return end()
      for (;;) {
        const repeat = shown !== null && !(await signal.wait(REPEAT_AFTER_MS))
        if (ended) return end()
        const job = await store.findJob(jobId)
        if (!job) return end()
        if (repeat || shown === null || job.version > shown.version) {
          shown = job
          return { done: false, value: job }
        }
      }
    }
    return {
      next,
      return: async () => end(),
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }

  const awaitDone = async (job: SwapJob, waitMs: number) => {
    const until = clock.now() + waitMs
    let current = job
    const { signal, close } = attach(job.id)
    stopping.addEventListener('abort', signal.ring)
    try {
      for (;;) {
        current = (await store.findJob(job.id)) ?? current
        const leftMs = until - clock.now()
        if (isDone(current.status) || leftMs <= 0 || stopping.aborted) return current
        await signal.wait(leftMs)
      }
    } finally {
      stopping.removeEventListener('abort', signal.ring)
      close()
    }
  }

  return {
    watch: async (viewer, id) => {
      const [job = null] = await store.findOwnJobs(viewer.tenant, [id])
      if (job) await lookSoon(job)
      return job && attachAndIterate(job.id)
    },
    awaitDone: async (job, waitMs) => (waitMs <= 0 || isDone(job.status) ? job : awaitDone(job, waitMs)),
  }
}
