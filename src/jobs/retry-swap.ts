import { requireScope, type Viewer } from '../auth/viewer.ts'
import type { ImageOrigin, SwapJob } from '../domain/swap-job.ts'
import type { JobStore } from '../store/job-store.ts'
import type { CreateSwap, CreateSwapOutcome } from './create-swap.ts'
import { findVisibleJobs } from './read-jobs.ts'

export interface RetrySwapInput {
  readonly id: string
  readonly idempotencyKey: string | null
  readonly waitMs: number | null
  readonly requestId: string
}

export type RetryOutcome =
  | CreateSwapOutcome
  | { readonly kind: 'notFound'; readonly ids: readonly string[] }
  /** The job is not done, succeeded, or is forgotten. */
  | { readonly kind: 'wrongState'; readonly job: SwapJob }

/** Creates a new job with the images of a failed, lost or canceled one. The new job is charged separately. */
export type RetrySwap = (viewer: Viewer, input: RetrySwapInput) => Promise<RetryOutcome>

export function createRetrySwap(store: Pick<JobStore, 'findOwnJobs'>, createSwap: CreateSwap): RetrySwap {
  return async (viewer, { id, idempotencyKey, waitMs, requestId }) => {
    requireScope(viewer, 'swap:write')
    const [job] = await findVisibleJobs(store, viewer, [id])
    if (!job) return { kind: 'notFound', ids: [id] }
    const mayBeRepeated = job.status === 'FAILED' || job.status === 'LOST' || job.status === 'CANCELED'
    if (!mayBeRepeated || job.forgottenAt !== null) return { kind: 'wrongState', job }
    const { clientReference, tags, keepDays, hookUrl, hookFormat } = job
    const same = { clientReference, tags, keepDays, hookUrl, hookFormat }
    const images = {
      targetImage: toImage(job.targetImageUrl, job.targetOrigin),
      swapImage: toImage(job.swapImageUrl, job.swapOrigin),
    }
    return createSwap(viewer, { ...images, ...same, idempotencyKey, waitMs }, { requestId, retryOf: job.id })
  }
}

function toImage(url: string, { uploadId, resultOf }: ImageOrigin) {
  return uploadId === null && resultOf === null ? { url } : { uploadId, resultOf }
}
