/** Guarantees for response caches, on both engines: versions of a tenant's jobs, and identity of returned jobs. */
import { expect, test } from 'vitest'
import type { SwapJob } from '../../src/domain/swap-job.ts'
import type { JobStore } from '../../src/store/job-store.ts'
import { createJobStore } from '../../src/store/sql/job-store.ts'
import { createCachedJobStore } from '../../src/store/sqlite/job-cache.ts'
import { LIMITS, makeNewSwapJob } from '../support/jobs.ts'
import { openEngine } from '../support/open-engine.ts'
import { isOnPostgres } from '../support/raw-database.ts'

const NOW = 1_700_000_000_000
const ROOM = { maxInFlight: 100, maxWaiting: 100 }
const SEAL = { sealKey: () => 'sealed', sealFingerprint: () => 'sealed' }

/** Opens the store as the gateway does on this engine. */
async function openStore(): Promise<JobStore> {
  const store = createJobStore(await openEngine())
  return isOnPostgres ? store : createCachedJobStore(store)
}

async function create(store: JobStore, id = 'job_1', tenant = 'a'): Promise<SwapJob> {
  const made = await store.createJob(makeNewSwapJob(id, NOW, { tenant }), ROOM, LIMITS)
  if (made.kind !== 'created') throw new Error(made.kind)
  return made.job
}

async function read(store: JobStore, id = 'job_1'): Promise<SwapJob> {
  const [job] = await store.findOwnJobs('a', [id])
  if (!job) throw new Error('the job is gone')
  return job
}

const CLAIM = { hookAddress: 'https://gateway/hooks/2', leaseUntil: NOW + 9, maxInFlight: 9 }
const END = { kind: 'transition', to: 'SUCCESS', patch: { finishedAt: NOW, wakeAt: null } } as const

/** Each kind of write to a job, in an order in which each write changes the job. */
const WRITES: Readonly<Record<string, (store: JobStore, job: SwapJob) => Promise<unknown>>> = {
  bookkeeping: async (store, job) =>
    store.applyDecision(job, { kind: 'bookkeeping', patch: { fetches: 1 } }, NOW, 'FETCH'),
  'a sweep': async (store) => store.claimDue(NOW, NOW + 1, 10),
  'a claim': async (store, job) => store.claimSubmit(job, CLAIM),
  'a transition': async (store, job) => store.applyDecision(job, END, NOW, 'FETCH'),
  'a copy': async (store, job) => store.recordMirror(job.id, { copyId: 'copy' }),
  erasure: async (store, job) => store.forgetJob(job.id, NOW, SEAL),
}

test('after each kind of write a read returns a new object, and the earlier object is unchanged', async () => {
  const store = await openStore()
  await create(store)
  for (const [name, write] of Object.entries(WRITES)) {
    const before = await read(store)
    const copy = structuredClone(before)
    expect(await write(store, before), name).toBeTruthy()
    const after = await read(store)
    expect(after, name).not.toBe(before)
    expect(after, name).not.toEqual(copy)
    expect(before, name).toEqual(copy)
  }
})

test("the version of a tenant's jobs changes with a new job and with each kind of write, and not in between", async () => {
  const store = await openStore()
  let version = store.jobsVersion('a')
  const expectChange = (name: string) => {
    const next = store.jobsVersion('a')
    // Null: the store has no versions.
    if (next !== null) expect(next, name).not.toBe(version)
    expect(store.jobsVersion('a'), name).toBe(next)
    version = next
  }
  await create(store)
  expectChange('a new job')
  for (const [name, write] of Object.entries(WRITES)) {
    const job = await read(store)
    expect(store.jobsVersion('a')).toBe(version)
    await write(store, job)
    expectChange(name)
  }
})

test('a store with versions returns the same object for an unchanged job, whatever other jobs change', async () => {
  const store = await openStore()
  await create(store)
  // The claim makes the next read go to the database.
  await store.claimDue(NOW, NOW + 1, 10)
  const job = await read(store)
  const [mine, theirs] = [await create(store, 'job_2'), await create(store, 'job_3', 'b')]
  for (const other of [mine, theirs]) await store.applyDecision(other, END, NOW, 'FETCH')
  const again = [await read(store), ...(await store.findJobs(['job_1'])), await store.findJob('job_1')]
  for (const one of again) {
    if (store.jobsVersion('a') === null) expect(one).toEqual(job)
    else expect(one).toBe(job)
  }
})
