import { GatewayError } from './errors.ts'
import { isDone, type SwapJob, type SwapJobStatus } from './swap-job.ts'

/** Selects jobs: all members that are set must match. */
export interface JobFilter {
  readonly ids?: readonly string[] | null | undefined
  readonly statuses?: readonly SwapJobStatus[] | null | undefined
  readonly done?: boolean | null | undefined
  /** The job has all of these. */
  readonly tags?: readonly string[] | null | undefined
  readonly clientReference?: string | null | undefined
  /** Epoch milliseconds, inclusive. */
  readonly createdFrom?: number | null | undefined
  /** Epoch milliseconds, exclusive. */
  readonly createdBefore?: number | null | undefined
}

/** The most that a job may have. */
const MAX_TAGS = 10

/** @throws {GatewayError} code INVALID_INPUT if the filter has more tags than a job may have. */
export function checkFilter({ tags }: JobFilter): void {
  if (new Set(tags).size > MAX_TAGS) {
    throw new GatewayError('INVALID_INPUT', `A filter may have at most ${MAX_TAGS} tags.`)
  }
}

/** Whether the job currently matches; an id is the gateway's or the upstream's. */
export function matchesFilter(
  job: Pick<SwapJob, 'id' | 'upstreamId' | 'status' | 'tags' | 'clientReference' | 'createdAt'>,
  filter: JobFilter,
): boolean {
  const { ids, statuses, done, tags, clientReference, createdFrom, createdBefore } = filter
  return (
    (ids == null || ids.includes(job.id) || (job.upstreamId !== null && ids.includes(job.upstreamId))) &&
    (statuses == null || statuses.includes(job.status)) &&
    (done == null || done === isDone(job.status)) &&
    (tags == null || tags.every((tag) => job.tags.includes(tag))) &&
    (clientReference == null || clientReference === job.clientReference) &&
    (createdFrom == null || job.createdAt >= createdFrom) &&
    (createdBefore == null || job.createdAt < createdBefore)
  )
}
