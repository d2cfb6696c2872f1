import { maySee, requireScope, type Viewer } from '../auth/viewer.ts'
import { isStorable } from '../domain/storable.ts'
import type { SwapJob } from '../domain/swap-job.ts'
import { isDone } from '../domain/swap-job.ts'
import type { JobStore } from '../store/job-store.ts'
import type { Confirmer } from './lifecycle/confirm-swap.ts'

/** Upstream fetches that one request of a caller may cause; jobs beyond that are answered from the store. */
export const MAX_FETCHES_PER_REQUEST = 20

/** Reads the viewer's own jobs, for one request. Null for an unknown job and for a foreign one alike. */
export type ReadJobs = (ids: readonly string[]) => Promise<(SwapJob | null)[]>

/**
 * Opens the reading of one request. Unfinished jobs are looked up at the upstream on the way, finished ones never.
 * A job whose fetch fails is answered as it is stored: one bad key never fails its batch.
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

/** The jobs that the viewer may see, in the order asked for; null for an unknown one and for any other alike. */
export async function findVisibleJobs(
  store: Pick<JobStore, 'findOwnJobs'>,
  viewer: Viewer,
  ids: readonly string[],
): Promise<(SwapJob | null)[]> {
  // No job has any other id, and a database may reject the query.
  const storable = ids.filter(isStorable)
  const found = storable.length === 0 ? [] : await store.findOwnJobs(viewer.tenant, storable)
  const jobs = new Map(storable.map((id, n) => [id, found[n] ?? null]))
  return ids.map((id) => {
    const job = jobs.get(id) ?? null
    return job && maySee(viewer, job) ? job : null
  })
}
