/**
 * A read cache of jobs in front of the store of the embedded database. This process is the only one that writes to that
 * database, so every change passes through here and invalidates the changed jobs. A cached job always equals its row.
 */
import { LRUCache } from 'lru-cache'
import type { SwapJob } from '../../domain/swap-job.ts'
import type { JobStore } from '../job-store.ts'

/** Some two kilobytes each. */
const MAX_JOBS = 20_000
const MAX_TENANTS = 10_000

type JobName = Pick<SwapJob, 'id' | 'tenant'>

/** Called after each read with the number of cached jobs, and the number of jobs read from the database. */
type OnRead = (hits: number, misses: number) => void

class JobCache {
  readonly #onRead: OnRead
  readonly #jobs = new LRUCache<string, SwapJob>({ max: MAX_JOBS })
  /** Counts invalidations; `#changesOf` has the count at each tenant's last one. */
  #changes = 0
  readonly #changesOf = new LRUCache<string, number>({ max: MAX_TENANTS })
  /** The count at the last invalidation that concerned all tenants. */
  #changeOfAll = 0

  constructor(onRead: OnRead) {
    this.#onRead = onRead
  }

  invalidateAll(): void {
    this.#changeOfAll = this.#changes += 1
    this.#jobs.clear()
  }

  /** For a write that does not name the job's tenant. */
  invalidateId(id: string): void {
    this.#changeOfAll = this.#changes += 1
    this.#jobs.delete(id)
  }

  invalidate({ id, tenant }: JobName): void {
    this.#changesOf.set(tenant, (this.#changes += 1))
    this.#jobs.delete(id)
  }

  /** `JobStore.jobsVersion`. */
  versionOf(tenant: string): string {
    // An evicted tenant gets a new version, never one that it had before.
    if (!this.#changesOf.has(tenant)) this.#changesOf.set(tenant, (this.#changes += 1))
    return `${this.#changeOfAll}.${this.#changesOf.get(tenant)}`
  }

  /** Reads the jobs that are not cached, and caches them unless anything has changed meanwhile. */
  async find(
    ids: readonly string[],
    tenant: string | undefined,
    read: (missing: readonly string[]) => Promise<readonly (SwapJob | null)[]>,
  ): Promise<(SwapJob | null)[]> {
    const found = ids.map((id) => this.#get(id, tenant))
    const missing = ids.filter((_id, n) => found[n] === null)
    this.#onRead(ids.length - missing.length, missing.length)
    if (missing.length === 0) return found
    const before = this.#changes
    const others = await read(missing)
    if (this.#changes === before) for (const job of others) if (job) this.#jobs.set(job.id, job)
    let next = 0
    return found.map((job) => job ?? others[next++] ?? null)
  }

  /** Invalidates the job even if the write fails, because the commit may still have reached the disk. */
  async write<T>(job: JobName, write: Promise<T>, writtenOf: (result: T) => SwapJob | null): Promise<T> {
    const before = this.#changeOfAll
    const result = await write.finally(() => this.invalidate(job))
    const written = writtenOf(result)
    if (written && this.#changeOfAll === before) this.#jobs.set(written.id, written)
    return result
  }

  #get(id: string, tenant: string | undefined): SwapJob | null {
    const job = this.#jobs.get(id)
    return job && (tenant === undefined || job.tenant === tenant) ? job : null
  }
}

/** @param store of a database that no other process writes to. */
export function createCachedJobStore(store: JobStore, onRead: OnRead = () => {}): JobStore {
  const cache = new JobCache(onRead)
  return {
    ...store,

    findJob: async (id) => (await cache.find([id], undefined, async () => [await store.findJob(id)]))[0] ?? null,
    findJobs: async (ids) => cache.find(ids, undefined, async (missing) => store.findJobs(missing)),
    findOwnJobs: async (tenant, ids) => cache.find(ids, tenant, async (missing) => store.findOwnJobs(tenant, missing)),
    jobsVersion: (tenant) => cache.versionOf(tenant),

    createJob: async (job, room, limits) =>
      cache.write(job, store.createJob(job, room, limits), (made) => (made.kind === 'created' ? made.job : null)),
    applyDecision: async (job, ...rest) => cache.write(job, store.applyDecision(job, ...rest), (written) => written),
    claimSubmit: async (job, claim) => cache.write(job, store.claimSubmit(job, claim), (claimed) => claimed),
    claimDue: async (now, until, limit) => {
      try {
        const claimed = await store.claimDue(now, until, limit)
        for (const job of claimed) cache.invalidate(job)
        return claimed
      } catch (error) {
        // It is not known which jobs were claimed.
        cache.invalidateAll()
        throw error
      }
    },
    recordMirror: async (jobId, outcome) => store.recordMirror(jobId, outcome).finally(() => cache.invalidateId(jobId)),
    forgetJob: async (jobId, ...rest) => store.forgetJob(jobId, ...rest).finally(() => cache.invalidateId(jobId)),
  }
}
