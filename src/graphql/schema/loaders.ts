import DataLoader from 'dataloader'
import type { StoredImage } from '../../domain/image.ts'
import type { SwapJob, TimelineEntry } from '../../domain/swap-job.ts'
import type { WebhookWithAttempts } from '../../store/webhook-store.ts'
import type { ReadJobs } from '../../jobs/read-jobs.ts'

/** Lists the timelines of jobs, in the order of `jobIds`. */
export type ListTimelines = (jobIds: readonly string[]) => Promise<TimelineEntry[][]>

/** Finds images, in the order of `ids`; null for an image that does not exist. */
export type FindImages = (ids: readonly string[]) => Promise<(StoredImage | null)[]>

/** The DataLoaders of one operation. */
export interface Loaders {
  /** Jobs that the viewer may see, null for all others. Unfinished jobs are refreshed from the upstream. */
  readonly job: DataLoader<string, SwapJob | null>
  readonly timeline: DataLoader<string, TimelineEntry[]>
  /** The tenant's uploads; null for a viewer that is limited to some jobs. */
  readonly upload: DataLoader<string, StoredImage | null>
  /** Any image of the tenant. Visibility is not checked: load only ids that a visible job names. */
  readonly image: DataLoader<string, StoredImage | null>
  /** Webhooks with their attempts, by job id. */
  readonly webhook: DataLoader<string, WebhookWithAttempts | null>
  /** Clears all caches, for the next event of a subscription. */
  renew(): void
}

/** Members of a list that are read or written in one slot; a job may have fifty values. */
export const MEMBERS_PER_SLOT = 20

/** Keys in one query of the store. */
const MAX_BATCH = 500

export interface LoaderSources {
  /** Resolves in the next slot of the caller's tenant. */
  readonly waitForSlot: () => Promise<void>
  readonly openReading: () => ReadJobs
  readonly listTimelines: ListTimelines
  readonly findUploads: FindImages
  readonly findImages: FindImages
  readonly findWebhooks: (jobIds: readonly string[]) => Promise<(WebhookWithAttempts | null)[]>
}

/** A class, because there is one per operation: its accessors are shared, and each loader is created on first use. */
export class OperationLoaders implements Loaders {
  readonly #sources: LoaderSources
  #job: Loaders['job'] | null = null
  #timeline: Loaders['timeline'] | null = null
  #upload: Loaders['upload'] | null = null
  #image: Loaders['image'] | null = null
  #webhook: Loaders['webhook'] | null = null

  constructor(sources: LoaderSources) {
    this.#sources = sources
  }

  get job() {
    return (this.#job ??= new DataLoader(this.#openReading(), { maxBatchSize: MEMBERS_PER_SLOT }))
  }

  get timeline() {
    return (this.#timeline ??= new DataLoader(this.#sources.listTimelines, { maxBatchSize: MAX_BATCH }))
  }

  get upload() {
    return (this.#upload ??= new DataLoader(this.#sources.findUploads, { maxBatchSize: MAX_BATCH }))
  }

  get image() {
    return (this.#image ??= new DataLoader(this.#sources.findImages, { maxBatchSize: MAX_BATCH }))
  }

  get webhook() {
    return (this.#webhook ??= new DataLoader(this.#sources.findWebhooks, { maxBatchSize: MAX_BATCH }))
  }

  /** Reads the first batch immediately, and each later batch in a slot of the caller's tenant. */
  #openReading(): ReadJobs {
    const read = this.#sources.openReading()
    let isFirst = true
    return async (ids) => {
      if (!isFirst) await this.#sources.waitForSlot()
      isFirst = false
      return read(ids)
    }
  }

  renew(): void {
    this.#job = null
    this.#timeline = null
    this.#upload = null
    this.#image = null
    this.#webhook = null
  }
}
