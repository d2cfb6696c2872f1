import DataLoader from 'dataloader'
import type { StoredImage } from '../domain/image.ts'
import type { SwapJob, TimelineEntry } from '../domain/swap-job.ts'
import type { WebhookWithAttempts } from '../store/webhook-store.ts'
import type { ReadJobs } from '../jobs/read-jobs.ts'

/** Timelines of jobs, in the order asked for. */
export type ListTimelines = (jobIds: readonly string[]) => Promise<TimelineEntry[][]>

/** Images, in the order asked for; null for one that is not there. */
export type FindImages = (ids: readonly string[]) => Promise<(StoredImage | null)[]>

/** The caches of one operation. */
export interface Loaders {
  /** The viewer's own jobs, as the upstream tells them now where they are not finished; null for all others. */
  readonly job: DataLoader<string, SwapJob | null>
  readonly timeline: DataLoader<string, TimelineEntry[]>
  /** The viewer's own uploads, and any images of jobs that the viewer may see. */
  readonly upload: DataLoader<string, StoredImage | null>
  readonly image: DataLoader<string, StoredImage | null>
  /** The events for the callers' own hooks, by job. */
  readonly webhook: DataLoader<string, WebhookWithAttempts | null>
  /** Begins the next event of a subscription: what was loaded for the one before is forgotten. */
  renew(): void
}

/** Keys that one batch asks the store for. */
const MAX_BATCH = 500

export interface LoaderSources {
  readonly openReading: () => ReadJobs
  readonly listTimelines: ListTimelines
  readonly findUploads: FindImages
  readonly findImages: FindImages
  readonly findWebhooks: (jobIds: readonly string[]) => Promise<(WebhookWithAttempts | null)[]>
}

export function createLoaders({
  openReading,
  listTimelines,
  findUploads,
  findImages,
  findWebhooks,
}: LoaderSources): Loaders {
  let job: Loaders['job'] | null = null
  let timeline: Loaders['timeline'] | null = null
  let upload: Loaders['upload'] | null = null
  let image: Loaders['image'] | null = null
  let webhook: Loaders['webhook'] | null = null
  return {
    get job() {
      return (job ??= new DataLoader(openReading(), { maxBatchSize: MAX_BATCH }))
    },
    get timeline() {
      return (timeline ??= new DataLoader(listTimelines, { maxBatchSize: MAX_BATCH }))
    },
    get upload() {
      return (upload ??= new DataLoader(findUploads, { maxBatchSize: MAX_BATCH }))
    },
    get image() {
      return (image ??= new DataLoader(findImages, { maxBatchSize: MAX_BATCH }))
    },
    get webhook() {
      return (webhook ??= new DataLoader(findWebhooks, { maxBatchSize: MAX_BATCH }))
    },
    renew: () => {
      job = null
      timeline = null
      upload = null
      image = null
      webhook = null
    },
  }
}
