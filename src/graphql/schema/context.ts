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

/** The use cases that resolvers call. */
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
  /** The tenant's uploads, in the order of `ids`; null if unknown. All null if the viewer is limited to some jobs. */
  readonly findUploads: (viewer: Viewer, ids: readonly string[]) => Promise<(StoredImage | null)[]>
  /** The tenant's images, in the order of `ids`. Visibility is not checked: pass only ids that a visible job names. */
  readonly findImages: (viewer: Viewer, ids: readonly string[]) => Promise<(StoredImage | null)[]>
  /** A signed address that is valid for at least a day. */
  readonly addressOfImage: (image: StoredImage, wanted: Partial<Omit<ImageView, 'id'>>) => string
  /** Null if the viewer may not issue tokens. */
  readonly issueWatchToken: (viewer: Viewer, job: SwapJob) => WatchToken | null
  readonly createSwap: CreateSwap
  readonly watcher: Watcher
  readonly watchJobs: WatchJobs
  /** Opens the job reads of one request, which share one budget of upstream fetches. */
  readonly openReading: (viewer: Viewer) => ReadJobs
  readonly listTimelines: ListTimelines
  /** A version that changes with every change of the tenant's stored jobs; null if the store cannot tell. */
  readonly jobsVersion: (tenant: string) => string | null
  /** Epoch milliseconds. */
  readonly now: () => number
}

/** The context of one operation: its caller, and caches that no other operation shares. */
export interface Context {
  readonly viewer: Viewer
  /** The viewer's remaining requests; if they are used up, every mutation is refused. */
  readonly allowance: Allowance
  /** The `Idempotency-Key` header, used if the input has no key. */
  readonly idempotencyKey: string | null
  /** For the log. */
  readonly requestId: string
  readonly useCases: UseCases
  readonly loaders: Loaders
  /** Resolves in the next slot of the caller's tenant. Await it before large work. */
  readonly waitForSlot: () => Promise<void>
  /** Divides a list that a resolver returns, so that a long one is written in several slots of the tenant. */
  readonly spread: <T>(members: readonly T[]) => (T | Promise<T>)[]
}

/** The part of the scheduler that resolvers and loaders use. */
export interface Scheduling {
  /** Resolves in the tenant's next slot. */
  begin(tenant: string): Promise<void>
  /** Returns the first members as they are, and the rest as promises that resolve in later slots of the tenant. */
  spread<T>(tenant: string, members: readonly T[]): (T | Promise<T>)[]
}

export function createContext(
  useCases: UseCases,
  caller: Caller,
  idempotencyKey: string | null,
  scheduler: Scheduling,
): Context {
  const { viewer, allowance, requestId } = caller
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
    requestId,
    useCases,
    loaders,
    waitForSlot,
    spread: (members) => scheduler.spread(viewer.tenant, members),
  }
}
