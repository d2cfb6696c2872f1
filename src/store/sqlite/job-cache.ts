/**
 * A read cache of jobs in front of the store of the embedded database. This process is the only one that writes to that
 * database, so every change passes through here and invalidates what it touched. A cached job always equals its row.
 */
import { LRUCache } from 'lru-cache'
import type { SwapJob } from '../../domain/swap-job.ts'
import type { JobStore } from '../job-store.ts'

/** Some two kilobytes each. */
const MAX_JOBS = 20_000
const MAX_TENANTS = 10_000

/** @param store of a database that no other process writes to. */
export function createCachedJobStore(store: JobStore): JobStore {
  const jobs = new LRUCache<string, SwapJob>({ max: MAX_JOBS })
  /** Counts invalidations; `changesOf` has the count at each tenant's last one. */
  let changes = 0
  const changesOf = new LRUCache<string, number>({ max: MAX_TENANTS })
  /** The count at the last invalidation that concerned all tenants. */
  let changeOfAll = 0

  const invalidateAll = () => {
    changeOfAll = changes += 1
    jobs.clear()
  }
  /** For a write that does not say whose job it is. */
  const invalidateId = (id: string) => {
    changeOfAll = changes += 1
    jobs.delete(id)
  }
  const invalidate = ({ id, tenant }: JobName) => {
    changesOf.set(tenant, (changes += 1))
    jobs.delete(id)
  }
  const find = (id: string, tenant?: string): SwapJob | null => {
    const job = jobs.get(id)
    return job && (tenant === undefined || job.tenant === tenant) ? job : null
  }
  /** Reads the jobs that are not cached, and caches them unless anything has changed meanwhile. */
  const findAll = async (
    ids: readonly string[],
    tenant: string | undefined,
    read: (missing: readonly string[]) => Promise<readonly (SwapJob | null)[]>,
  ): Promise<(SwapJob | null)[]> => {
    const found = ids.map((id) => find(id, tenant))
    const missing = ids.filter((_id, n) => found[n] === null)
    if (missing.length === 0) return found
    const before = changes
    const others = await read(missing)
    if (changes === before) for (const job of others) if (job) jobs.set(job.id, job)
    let next = 0
    return found.map((job) => job ?? others[next++] ?? null)
  }

  /** Invalidates the job even if the write fails: the commit may have reached the disk all the same. */
  const writing = async <T>(job: JobName, write: Promise<T>, writtenOf: (result: T) => SwapJob | null): Promise<T> => {
    const before = changeOfAll
    const result = await write.finally(() => invalidate(job))
    const written = writtenOf(result)
    if (written && changeOfAll === before) jobs.set(written.id, written)
    return result
  }

  return {
    ...store,

    findJob: async (id) => (await findAll([id], undefined, async () => [await store.findJob(id)]))[0] ?? null,
    findJobs: async (ids) => findAll(ids, undefined, async (missing) => store.findJobs(missing)),
    findOwnJobs: async (tenant, ids) => findAll(ids, tenant, async (missing) => store.findOwnJobs(tenant, missing)),

    jobsVersion: (tenant) => {
      // A tenant that was evicted gets a new name, never one that it had before.
      if (!changesOf.has(tenant)) changesOf.set(tenant, (changes += 1))
      return `${changeOfAll}.${changesOf.get(tenant)}`
    },

    createJob: async (job, room, limits) =>
      writing(job, store.createJob(job, room, limits), (made) => (made.kind === 'created' ? made.job : null)),
    applyDecision: async (job, ...rest) => writing(job, store.applyDecision(job, ...rest), (written) => written),
    claimSubmit: async (job, claim) => writing(job, store.claimSubmit(job, claim), (claimed) => claimed),
    claimDue: async (now, until, limit) => {
      try {
        const claimed = await store.claimDue(now, until, limit)
        for (const job of claimed) invalidate(job)
        return claimed
      } catch (error) {
        // It is not known which jobs it claimed.
        invalidateAll()
        throw error
      }
    },
    recordMirror: async (jobId, outcome) => store.recordMirror(jobId, outcome).finally(() => invalidateId(jobId)),
    forgetJob: async (jobId, ...rest) => store.forgetJob(jobId, ...rest).finally(() => invalidateId(jobId)),
  }
}

type JobName = Pick<SwapJob, 'id' | 'tenant'>
