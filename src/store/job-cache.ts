/**
 * Jobs as they were last read, for an engine that can tell for next to nothing whether another process has written: what
 * this one writes it knows itself. A job is given from here only while the row is surely as it was.
 */
import { LRUCache } from 'lru-cache'
import type { SwapJob } from '../domain/swap-job.ts'
import type { JobStore } from './job-store.ts'

/** Some two kilobytes each. */
const MAX_JOBS = 20_000
const MAX_TENANTS = 10_000

/** @param countForeign another number each time after another process has written. */
export function createCachedJobStore(store: JobStore, countForeign: () => number): JobStore {
  const jobs = new LRUCache<string, SwapJob>({ max: MAX_JOBS })
  /** Counts what may have changed a row; of each tenant, where it stood at the last change. */
  let changes = 0
  const changesOf = new LRUCache<string, number>({ max: MAX_TENANTS })
  /** Where it stood when all tenants' jobs were in doubt. */
  let changeOfAll = 0
  let foreign = countForeign()

  const doubtAll = () => {
    changeOfAll = changes += 1
    jobs.clear()
  }
  const doubtSomebodys = (id: string) => {
    changeOfAll = changes += 1
    jobs.delete(id)
  }
  const doubt = ({ id, tenant }: JobName) => {
    changesOf.set(tenant, (changes += 1))
    jobs.delete(id)
  }
  const lookAbroad = () => {
    const now = countForeign()
    if (now !== foreign) doubtAll()
    foreign = now
  }
  const find = (id: string, tenant?: string): SwapJob | null => {
    const job = jobs.get(id)
    return job && (tenant === undefined || job.tenant === tenant) ? job : null
  }
  /** What is not kept is read, and kept unless anything has changed meanwhile. */
  const findAll = async (
    ids: readonly string[],
    tenant: string | undefined,
    read: (missing: readonly string[]) => Promise<readonly (SwapJob | null)[]>,
  ): Promise<(SwapJob | null)[]> => {
    lookAbroad()
    const found = ids.map((id) => find(id, tenant))
    const missing = ids.filter((_id, n) => found[n] === null)
    if (missing.length === 0) return found
    const before = changes
    const others = await read(missing)
    if (changes === before) for (const job of others) if (job) jobs.set(job.id, job)
    let next = 0
    return found.map((job) => job ?? others[next++] ?? null)
  }

  /** Whatever becomes of the write, even where its commit is not known to have failed, the job is no longer as it was. */
  const writing = async <T>(job: JobName, write: Promise<T>, writtenOf: (result: T) => SwapJob | null): Promise<T> => {
    const before = changeOfAll
    const result = await write.finally(() => doubt(job))
    const written = writtenOf(result)
    if (written && changeOfAll === before) jobs.set(written.id, written)
    return result
  }

  return {
    ...store,

    findJob: async (id) => (await findAll([id], undefined, async () => [await store.findJob(id)]))[0] ?? null,
    findJobs: async (ids) => findAll(ids, undefined, async (missing) => store.findJobs(missing)),
    findOwnJobs: async (tenant, ids) => findAll(ids, tenant, async (missing) => store.findOwnJobs(tenant, missing)),

    nameState: (tenant) => {
      lookAbroad()
      // One that was dropped has no name that it had before.
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
        for (const job of claimed) doubt(job)
        return claimed
      } catch (error) {
        // Which they were is not known.
        doubtAll()
        throw error
      }
    },
    noteMirror: async (jobId, outcome) => store.noteMirror(jobId, outcome).finally(() => doubtSomebodys(jobId)),
    forgetJob: async (jobId, at) => store.forgetJob(jobId, at).finally(() => doubtSomebodys(jobId)),
  }
}

type JobName = Pick<SwapJob, 'id' | 'tenant'>
