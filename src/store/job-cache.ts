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
  const doubt = ({ id, tenant }: Pick<SwapJob, 'id' | 'tenant'>) => {
    changesOf.set(tenant, (changes += 1))
    jobs.delete(id)
  }
  const lookAbroad = () => {
    const now = countForeign()
    if (now !== foreign) doubtAll()
    foreign = now
  }
  return {
    ...store,

    findOwnJobs: async (tenant, ids) => {
      lookAbroad()
      const found = ids.map((id) => {
        const job = jobs.get(id)
        return job?.tenant === tenant ? job : null
      })
      const missing = ids.filter((_id, n) => found[n] === null)
      if (missing.length === 0) return found
      const before = changes
      const read = await store.findOwnJobs(tenant, missing)
      // What was read before a change is not kept after it.
      if (changes === before) for (const job of read) if (job) jobs.set(job.id, job)
      let next = 0
      return found.map((job) => job ?? read[next++] ?? null)
    },

    nameState: (tenant) => {
      lookAbroad()
      // One that was dropped has no name that it had before.
      if (!changesOf.has(tenant)) changesOf.set(tenant, (changes += 1))
      return `${changeOfAll}.${changesOf.get(tenant)}`
    },

    createJob: async (job, room, limits) => writing(store.createJob(job, room, limits), () => doubt(job)),
    applyDecision: async (job, ...rest) => writing(store.applyDecision(job, ...rest), () => doubt(job)),
    claimSubmit: async (job, claim) => writing(store.claimSubmit(job, claim), () => doubt(job)),
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
    noteMirror: async (jobId, outcome) => writing(store.noteMirror(jobId, outcome), () => doubtSomebodys(jobId)),
    forgetJob: async (jobId, at) => writing(store.forgetJob(jobId, at), () => doubtSomebodys(jobId)),
  }
}

/** Whatever becomes of the write, even where its commit is not known to have failed. */
async function writing<T>(write: Promise<T>, touch: () => void): Promise<T> {
  try {
    return await write
  } finally {
    touch()
  }
}
