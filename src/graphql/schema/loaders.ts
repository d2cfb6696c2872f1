import DataLoader from 'dataloader'
import type { StoredImage } from '../../domain/image.ts'
import type { SwapJob, TimelineEntry } from '../../domain/swap-job.ts'
import type { WebhookWithAttempts } from '../../store/webhook-store.ts'
import type { ReadJobs } from '../../jobs/read-jobs.ts'

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

/** Jobs of a list that are read or written in one slot of their caller: each may have fifty values. */
export const MEMBERS_PER_SLOT = 20

/** Keys that one batch asks the store for. */
const MAX_BATCH = 500

export interface LoaderSources {
  /** Resolves when it is the caller's turn to do something large. */
  readonly waitForSlot: () => Promise<void>
  readonly openReading: () => ReadJobs
  readonly listTimelines: ListTimelines
  readonly findUploads: FindImages
  readonly findImages: FindImages
  readonly findWebhooks: (jobIds: readonly string[]) => Promise<(WebhookWithAttempts | null)[]>
}

/** A class, for there is one for each operation: what gives its members is made once. */
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

  /** The first batch is read at once, each further one in a turn of the caller. */
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
