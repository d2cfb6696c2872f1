import type { Job } from './job-table.ts'

/** Cost of each finished swap, as in the reference's sample. */
const QUOTA = 3

export interface JobDocument {
  readonly status: Job['status']
  readonly message: string | null
  readonly jobId: string
  readonly data: {
    readonly jobId: string
    readonly targetImage: string
    readonly swapImage: string
    readonly discordImage: string
    readonly cdnImage: string
    readonly hookUrl: string | null
    readonly quota: number
  } | null
}

/**
 * Converts a job to the document of fetch and of the hook: members and order as in the reference, the caller's URLs
 * byte for byte. Deterministic for the same job.
 * @param baseUrl of the result links, without a trailing slash.
 */
export function toJobDocument(job: Job, baseUrl: string): JobDocument {
  const { status, message, jobId, targetImage, swapImage, hookUrl, discordPath, cdnPath } = job
  const data =
    discordPath === null || cdnPath === null
      ? null
      : {
          jobId,
          targetImage,
          swapImage,
          discordImage: baseUrl + discordPath,
          cdnImage: baseUrl + cdnPath,
          hookUrl,
          quota: QUOTA,
        }
  return { status, message, jobId, data }
}
