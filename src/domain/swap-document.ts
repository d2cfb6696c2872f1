import { isDone, type SwapJob, type SwapLinks } from './swap-job.ts'

/** A job as the upstream's reference tells of it: what a fetch answers and a hook brings. Members and order are its own. */
export interface SwapDocument {
  readonly status: 'ON_QUEUE' | 'SUCCESS' | 'FAILED'
  /** Why it failed. */
  readonly message: string | null
  readonly jobId: string
  /** Null but for SUCCESS. */
  readonly data: {
    readonly jobId: string
    readonly targetImage: string
    readonly swapImage: string
    readonly discordImage: string | null
    readonly cdnImage: string | null
    readonly hookUrl: string | null
    readonly quota: number | null
  } | null
}

/**
 * The job in the words of clients that know the upstream only: for them what is not over is queued, and what is over
 * without a result has failed.
 * @param links what is handed out as its result. Either of the two stands for both where there is only one.
 */
export function toSwapDocument(job: SwapJob, links: SwapLinks | null): SwapDocument {
  const { id: jobId, targetImageUrl: targetImage, swapImageUrl: swapImage, hookUrl, charge, failure } = job
  const { cdnImage = null, discordImage = null } = links ?? {}
  if (job.status !== 'SUCCESS') {
    return { status: isDone(job.status) ? 'FAILED' : 'ON_QUEUE', message: failure?.message ?? null, jobId, data: null }
  }
  return {
    status: 'SUCCESS',
    message: null,
    jobId,
    data: {
      jobId,
      targetImage,
      swapImage,
      discordImage: discordImage ?? cdnImage,
      cdnImage: cdnImage ?? discordImage,
      hookUrl,
      quota: charge.quota,
    },
  }
}
