import { GatewayError } from './errors.ts'
import { isDone, type SwapJob, type SwapJobStatus } from './swap-job.ts'

/** Which jobs somebody wants to hear of: all parts that are given must hold. */
export interface JobFilter {
  readonly ids?: readonly string[] | null | undefined
  readonly statuses?: readonly SwapJobStatus[] | null | undefined
  readonly done?: boolean | null | undefined
  /** All of these. */
  readonly tags?: readonly string[] | null | undefined
  readonly clientReference?: string | null | undefined
  /** Epoch milliseconds, included. */
  readonly createdFrom?: number | null | undefined
  /** Epoch milliseconds, not included. */
  readonly createdBefore?: number | null | undefined
}

/** As many as a job may have. */
const MAX_TAGS = 10

/** @throws {GatewayError} code INVALID_INPUT for a filter that no job can fit, or that would cost too much. */
export function checkFilter({ tags }: JobFilter): void {
  if (new Set(tags).size > MAX_TAGS) {
    throw new GatewayError('INVALID_INPUT', `A filter may have at most ${MAX_TAGS} tags.`)
  }
}

/** Whether the job fits as it is now; an id is the gateway's or the upstream's. */
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
