import { isDone, type SwapJob, type SwapLinks } from './swap-job.ts'

/**
 * A job in the upstream's format: the response to a fetch and the body of a hook. Members and order are the upstream's.
 */
export interface SwapDocument {
  readonly status: 'ON_QUEUE' | 'SUCCESS' | 'FAILED'
  /** Why the job failed. */
  readonly message: string | null
  readonly jobId: string
  /** Null unless the status is SUCCESS. */
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
 * Converts a job for clients of the upstream's REST API: an unfinished job is ON_QUEUE, and every end but SUCCESS is
 * FAILED.
 * @param links the result links to return. If only one is set, it is used for both members.
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
