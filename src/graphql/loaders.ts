import DataLoader from 'dataloader'
import type { SwapJob, TimelineEntry } from '../domain/swap-job.ts'
import type { ReadJobs } from '../jobs/read-jobs.ts'

/** Timelines of jobs, in the order asked for. */
export type ListTimelines = (jobIds: readonly string[]) => Promise<TimelineEntry[][]>

/** The caches of one operation. */
export interface Loaders {
  /** The viewer's own jobs, as the upstream tells them now where they are not finished; null for all others. */
  readonly job: DataLoader<string, SwapJob | null>
  readonly timeline: DataLoader<string, TimelineEntry[]>
  /** Begins the next event of a subscription: what was loaded for the one before is forgotten. */
  renew(): void
}

/** Keys that one batch asks the store for. */
const MAX_BATCH = 500

export function createLoaders(openReading: () => ReadJobs, listTimelines: ListTimelines): Loaders {
  let job: Loaders['job'] | null = null
  let timeline: Loaders['timeline'] | null = null
  return {
    get job() {
      return (job ??= new DataLoader(openReading(), { maxBatchSize: MAX_BATCH }))
    },
    get timeline() {
      return (timeline ??= new DataLoader(listTimelines, { maxBatchSize: MAX_BATCH }))
    },
    renew: () => {
      job = null
      timeline = null
    },
  }
}
