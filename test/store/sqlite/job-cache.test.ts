/** The job cache reads a job from the database once, and never returns an outdated one. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { SwapJob } from '../../../src/domain/swap-job.ts'
import { createCachedJobStore } from '../../../src/store/sqlite/job-cache.ts'
import type { JobStore } from '../../../src/store/job-store.ts'
import { createJobStore } from '../../../src/store/sql/job-store.ts'
import { openDatabase } from '../../../src/store/sqlite/engine.ts'
import { LIMITS, makeNewSwapJob } from '../../support/jobs.ts'
import { closeAfterTest } from '../../support/close-after-test.ts'
import { makeDataDir } from '../../support/test-app.ts'

const NOW = 1_700_000_000_000
const ROOM = { maxInFlight: 100, maxWaiting: 100 }
const TENANT = makeNewSwapJob('', NOW).tenant

async function openStore() {
  const path = join(await makeDataDir(), 'gateway.db')
  let queries = 0
  const engine = await openDatabase(path, () => {
    queries += 1
  })
  closeAfterTest(() => engine.db.destroy())
  const store = createCachedJobStore(createJobStore(engine))
  const made = await store.createJob(makeNewSwapJob('job_1', NOW), ROOM, LIMITS)
  if (made.kind !== 'created') throw new Error(made.kind)
  return { store, job: made.job, queries: () => queries }
}

async function read(store: JobStore): Promise<SwapJob> {
  const [job] = await store.findOwnJobs(TENANT, ['job_1'])
  if (!job) throw new Error('the job is gone')
  return job
}

const move = async (store: JobStore, job: SwapJob) =>
  store.applyDecision(
    job,
    { kind: 'transition', to: 'ON_QUEUE', patch: { upstreamId: 'U1', wakeAt: NOW } },
    NOW,
    'SUBMIT',
  )

test('a job is read from the database once, by its id and for its tenant alone', async () => {
  const { store, job, queries } = await openStore()
  expect(await read(store)).toEqual(job)
  const before = queries()
  expect(await read(store)).toEqual(job)
  expect(queries()).toBe(before)
  expect(await store.findOwnJobs('another', ['job_1', 'job_2'])).toEqual([null, null])
  expect(await store.findOwnJobs(TENANT, ['job_2', 'job_1', 'job_1'])).toEqual([null, job, job])
})

test('a change is seen by the next read', async () => {
  const { store, job } = await openStore()
  await read(store)
  const moved = await move(store, job)
  expect(await read(store)).toEqual(moved)
  expect(await store.recordMirror('job_1', { failure: 'no' })).toBe(true)
  expect((await read(store)).mirrorFailure).toBe('no')
})

test('a read that was in progress when the job changed caches nothing', async () => {
  const { store, job } = await openStore()
  const reading = store.findOwnJobs(TENANT, ['job_1'])
  const moved = await move(store, job)
  await reading
  expect(await read(store)).toEqual(moved)
})

test('a claim invalidates the jobs that it claimed', async () => {
  const { store } = await openStore()
  await read(store)
  const [claimed] = await store.claimDue(NOW, NOW + 1, 10)
  expect(await read(store)).toEqual(claimed)
})

test('the version of the jobs changes with each change of the tenant, and with no change of another', async () => {
  const { store, job } = await openStore()
  const [mine, theirs] = [store.jobsVersion(TENANT), store.jobsVersion('another')]
  expect(store.jobsVersion(TENANT)).toBe(mine)
  await move(store, job)
  expect(store.jobsVersion(TENANT)).not.toBe(mine)
  expect(store.jobsVersion('another')).toBe(theirs)
  // The store does not know the tenant of this job, so all versions change.
  await store.recordMirror('job_1', { failure: 'no' })
  expect(store.jobsVersion('another')).not.toBe(theirs)
})
