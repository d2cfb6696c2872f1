/** Erases expired jobs, jobs that their owner forgets, and images that are no longer used. */
import { requireScope, type Viewer } from '../auth/viewer.ts'
import { isDone, type SwapJob } from '../domain/swap-job.ts'
import type { Clock } from '../lib/time/clock.ts'
import type { ImageStore } from '../store/image-store.ts'
import type { JobStore, KeySeal } from '../store/job-store.ts'
import type { Telemetry } from '../telemetry/events.ts'
import type { ImageLibrary } from './images/image-library.ts'
import { findVisibleJobs } from './read-jobs.ts'

const SWEEP_EVERY_MS = 30_000
const ORPHANS_EVERY_MS = 60 * 60 * 1_000
const MAX_AT_ONCE = 100

export interface ForgetterParts {
  readonly store: Pick<JobStore, 'findOwnJobs' | 'forgetJob' | 'listToForget'>
  readonly images: ImageStore
  readonly library: Pick<ImageLibrary, 'purge' | 'sweepOrphans'>
  readonly seal: KeySeal
  readonly clock: Clock
}

export type ForgetOutcome =
  | { readonly kind: 'forgotten'; readonly jobs: readonly SwapJob[] }
  | { readonly kind: 'notFound'; readonly ids: readonly string[] }
  | { readonly kind: 'notDone'; readonly job: SwapJob }

export interface Forgetter {
  /** Erases all of the jobs or none: if one is unknown or not done, nothing is erased. */
  forget(viewer: Viewer, ids: readonly string[]): Promise<ForgetOutcome>
  /** Erases expired jobs and images until `stopping` aborts. */
  run(stopping: AbortSignal, telemetry: Pick<Telemetry, 'backgroundFailed'>): Promise<void>
}

export function createForgetter({ store, images, library, seal, clock }: ForgetterParts): Forgetter {
  const erase = async (job: SwapJob): Promise<SwapJob> => {
    const now = clock.now()
    const forgotten = await store.forgetJob(job.id, now, seal)
    if (!forgotten) return job
    const { copyId, targetOrigin, swapOrigin } = forgotten.before
    const uploads = [targetOrigin.uploadId, swapOrigin.uploadId].filter((id) => id !== null)
    if (copyId !== null) await images.expireImage(copyId, now)
    for (const id of new Set(uploads)) if (!(await images.isInUse(id))) await images.expireImage(id, now)
    return forgotten.after
  }

  const purgeDue = async () => {
    for (const image of await images.listDue(clock.now(), MAX_AT_ONCE)) {
      if (image.kind === 'UPLOAD' && image.status === 'READY' && (await images.isInUse(image.id))) {
        await images.extendImage(image.id, clock.now() + ORPHANS_EVERY_MS)
      } else await library.purge(image)
    }
  }

  return {
    forget: async (viewer, ids) => {
      requireScope(viewer, 'swap:write')
      const found = await findVisibleJobs(store, viewer, ids)
      const missing = ids.filter((_id, n) => !found[n])
      if (missing.length > 0) return { kind: 'notFound', ids: missing }
      const jobs = found.filter((job) => job !== null)
      const unfinished = jobs.find(({ status }) => !isDone(status))
      if (unfinished) return { kind: 'notDone', job: unfinished }
      const erased: SwapJob[] = []
      for (const job of jobs) erased.push(await erase(job))
      await purgeDue()
      return { kind: 'forgotten', jobs: erased }
    },

    run: async (stopping, telemetry) => {
      let orphansAt = 0
      while (!stopping.aborted) {
        try {
          for (const job of await store.listToForget(clock.now(), MAX_AT_ONCE)) await erase(job)
          await purgeDue()
          if (clock.now() >= orphansAt) {
            orphansAt = clock.now() + ORPHANS_EVERY_MS
            await library.sweepOrphans()
          }
        } catch (error) {
          telemetry.backgroundFailed('erase expired data', error)
        }
        await clock.delay(SWEEP_EVERY_MS, stopping).catch(() => null)
      }
    },
  }
}
