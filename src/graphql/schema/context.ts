import type { Viewer, WatchToken } from '../../auth/viewer.ts'
import type { SwapJob } from '../../domain/swap-job.ts'
import type { Allowance } from '../../limits/limiter.ts'
import type { Caller } from './caller.ts'
import type { StoredImage } from '../../domain/image.ts'
import type { Forgetter } from '../../jobs/forget-swaps.ts'
import type { ImageView } from '../../jobs/images/image-addresses.ts'
import type { Uploads } from '../../jobs/images/uploads.ts'
import type { CancelSwap } from '../../jobs/cancel-swap.ts'
import type { CreateSwapBatch } from '../../jobs/create-swap-batch.ts'
import type { CreateSwap } from '../../jobs/create-swap.ts'
import type { ListJobs } from '../../jobs/list-jobs.ts'
import type { ReplayWebhook } from '../../jobs/replay-webhook.ts'
import type { RetrySwap } from '../../jobs/retry-swap.ts'
import type { ServiceStatus } from '../../jobs/service-status.ts'
import type { ReadJobs } from '../../jobs/read-jobs.ts'
import type { Watcher } from '../../jobs/watch-job.ts'
import type { WatchJobs } from '../../jobs/watch-jobs.ts'
import type { ListTimelines, Loaders, LoaderSources } from './loaders.ts'
import { OperationLoaders } from './loaders.ts'

/** The use cases that the graph is a face of. */
export interface UseCases {
  readonly createSwapBatch: CreateSwapBatch
  readonly retrySwap: RetrySwap
  readonly cancelSwap: CancelSwap
  readonly listJobs: ListJobs
  readonly status: ServiceStatus
  readonly replayWebhook: ReplayWebhook
  readonly findWebhooks: LoaderSources['findWebhooks']
  readonly uploads: Pick<Uploads, 'reserve'>
  readonly forgetter: Pick<Forgetter, 'forget'>
  /** The viewer's own uploads: none for one that may see some jobs only. */
  readonly findUploads: (viewer: Viewer, ids: readonly string[]) => Promise<(StoredImage | null)[]>
  /** The tenant's images, for jobs that the viewer may see. */
  readonly findImages: (viewer: Viewer, ids: readonly string[]) => Promise<(StoredImage | null)[]>
  /** An address that works for a day. */
  readonly addressOfImage: (image: StoredImage, wanted: Partial<Omit<ImageView, 'id'>>) => string
  /** Null for a viewer that may not hand out tokens. */
  readonly issueWatchToken: (viewer: Viewer, job: SwapJob) => WatchToken | null
  readonly createSwap: CreateSwap
  readonly watcher: Watcher
  readonly watchJobs: WatchJobs
  /** Opens the reading of one request: its budget of upstream fetches is the request's. */
  readonly openReading: (viewer: Viewer) => ReadJobs
  readonly listTimelines: ListTimelines
  /** Stays as long as nothing has changed of what is stored of a tenant's jobs; null where that cannot be said. */
  readonly jobsVersion: (tenant: string) => string | null
  /** Epoch milliseconds. */
  readonly now: () => number
}

/** What one operation knows: who asks, and the caches of this operation alone. */
export interface Context {
  readonly viewer: Viewer
  /** How much of the viewer's requests is left; a mutation of one whose are used up does nothing, and says so. */
  readonly allowance: Allowance
  /** The `Idempotency-Key` header; counts where the input names none. */
  readonly idempotencyKey: string | null
  readonly useCases: UseCases
  readonly loaders: Loaders
  /** Resolves when it is the caller's turn to do something large. */
  readonly waitForSlot: () => Promise<void>
  /** The members of a list, for a resolver to return: a long list is written in several turns of the caller. */
  readonly spread: <T>(members: readonly T[]) => (T | Promise<T>)[]
}

/** The part of the scheduler that resolvers and loaders use. */
export interface Scheduling {
  /** Resolves when the tenant may do something large. */
  begin(tenant: string): Promise<void>
  /** The members of a list: the first at once, the others in later slots of the tenant. */
  spread<T>(tenant: string, members: readonly T[]): (T | Promise<T>)[]
}

export function createContext(
  useCases: UseCases,
  caller: Caller,
  idempotencyKey: string | null,
  scheduler: Scheduling,
): Context {
  const { viewer, allowance } = caller
  const waitForSlot = async () => scheduler.begin(viewer.tenant)
  const loaders = new OperationLoaders({
    waitForSlot,
    openReading: () => useCases.openReading(viewer),
    listTimelines: useCases.listTimelines,
    findUploads: async (ids) => useCases.findUploads(viewer, ids),
    findWebhooks: useCases.findWebhooks,
    findImages: async (ids) => useCases.findImages(viewer, ids),
  })
  return {
    viewer,
    allowance,
    idempotencyKey,
    useCases,
    loaders,
    waitForSlot,
    spread: (members) => scheduler.spread(viewer.tenant, members),
  }
}
