import { maySee, requireScope, type Viewer } from '../auth/viewer.ts'
import { isStorable } from '../domain/storable.ts'
import type { SwapJob } from '../domain/swap-job.ts'
import { isDone } from '../domain/swap-job.ts'
import type { JobStore } from '../store/job-store.ts'
import type { Confirmer } from './lifecycle/confirm-swap.ts'

/** Upstream fetches that one request may cause; further jobs are returned as stored. */
export const MAX_FETCHES_PER_REQUEST = 20

/** Reads the viewer's jobs, for one request. Null for a job that is unknown or that the viewer may not see. */
export type ReadJobs = (ids: readonly string[]) => Promise<(SwapJob | null)[]>

/**
 * Creates the reader of one request. It refreshes unfinished jobs from the upstream, up to the limit of fetches. If a
 * fetch fails, the job is returned as stored: one bad id never fails its batch.
 */
export function createReadJobs(
  viewer: Viewer,
  store: Pick<JobStore, 'findOwnJobs'>,
  confirmer: Pick<Confirmer, 'refresh'>,
): ReadJobs {
  let fetchesLeft = MAX_FETCHES_PER_REQUEST
  return async (ids) => {
    requireScope(viewer, 'swap:read')
    const jobs = await findVisibleJobs(store, viewer, ids)
    return Promise.all(
      jobs.map(async (job) => {
        if (!job || isDone(job.status) || job.upstreamId === null || fetchesLeft <= 0) return job
        fetchesLeft -= 1
        return confirmer.refresh(job)
      }),
    )
  }
}

/** Returns the jobs in the order of `ids`; null for a job that is unknown or that the viewer may not see. */
export async function findVisibleJobs(
  store: Pick<JobStore, 'findOwnJobs'>,
  viewer: Viewer,
  ids: readonly string[],
): Promise<(SwapJob | null)[]> {
  // No job has an id that is not storable, and a database may reject such a query.
  const storable = ids.filter(isStorable)
  const found = storable.length === 0 ? [] : await store.findOwnJobs(viewer.tenant, storable)
  const jobs = new Map(storable.map((id, n) => [id, found[n] ?? null]))
  return ids.map((id) => {
    const job = jobs.get(id) ?? null
    return job && maySee(viewer, job) ? job : null
  })
}
