/** A job that is read again and again is read once, and is never older than what is stored. */
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { SwapJob } from '../../src/domain/swap-job.ts'
import { createCachedJobStore } from '../../src/store/job-cache.ts'
import type { JobStore } from '../../src/store/job-store.ts'
import { createJobStore } from '../../src/store/kysely-job-store.ts'
import { openDatabase } from '../../src/store/sqlite/open.ts'
import { LIMITS, makeNewSwapJob } from '../support/jobs.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { makeDataDir } from '../support/test-app.ts'

const NOW = 1_700_000_000_000
const ROOM = { maxInFlight: 100, maxWaiting: 100 }
const TENANT = makeNewSwapJob('', NOW).tenant

async function openTwo() {
  const path = join(await makeDataDir(), 'gateway.db')
  const open = async () => {
    let queries = 0
    const engine = await openDatabase(path, () => {
      queries += 1
    })
    closeAfterTest(() => engine.db.destroy())
    const store = createCachedJobStore(createJobStore(engine), engine.countForeign)
    return { store, queries: () => queries }
  }
  const [own, other] = [await open(), await open()]
  const made = await own.store.createJob(makeNewSwapJob('job_1', NOW), ROOM, LIMITS)
  if (made.kind !== 'created') throw new Error(made.kind)
  return { own, other, job: made.job }
}

async function read(store: JobStore): Promise<SwapJob> {
  // What another process does becomes known from one turn to the next.
  await nextTurn()
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

test('it is read once, by its id and for its tenant alone', async () => {
  const { own, job } = await openTwo()
  expect(await read(own.store)).toEqual(job)
  const before = own.queries()
  expect(await read(own.store)).toEqual(job)
  expect(own.queries()).toBe(before)
  expect(await own.store.findOwnJobs('another', ['job_1', 'job_2'])).toEqual([null, null])
  expect(await own.store.findOwnJobs(TENANT, ['job_2', 'job_1', 'job_1'])).toEqual([null, job, job])
})

test('what this process writes, and what another does, is seen at once', async () => {
  const { own, other, job } = await openTwo()
  await Promise.all([read(own.store), read(other.store)])
  const moved = await move(own.store, job)
  expect(await read(own.store)).toEqual(moved)
  expect(await read(other.store)).toEqual(moved)
  expect(await other.store.noteMirror('job_1', { failure: 'no' })).toBe(true)
  expect((await read(own.store)).mirrorFailure).toBe('no')
  expect((await read(other.store)).mirrorFailure).toBe('no')
})

test('a read that was under way when the job changed leaves nothing behind', async () => {
  const { own, job } = await openTwo()
  const reading = own.store.findOwnJobs(TENANT, ['job_1'])
  const moved = await move(own.store, job)
  await reading
  expect(await read(own.store)).toEqual(moved)
})

test('a claim, and one that fails, leave nothing old behind', async () => {
  const { own } = await openTwo()
  await read(own.store)
  const [claimed] = await own.store.claimDue(NOW, NOW + 1, 10)
  expect(await read(own.store)).toEqual(claimed)
})

test('the state has another name after each change of the tenant, and no other', async () => {
  const { own, other, job } = await openTwo()
  const nameOf = async (tenant: string) => {
    await nextTurn()
    return own.store.nameState(tenant)
  }
  const [mine, theirs] = [await nameOf(TENANT), await nameOf('another')]
  expect(await nameOf(TENANT)).toBe(mine)
  await move(own.store, job)
  expect(await nameOf(TENANT)).not.toBe(mine)
  expect(await nameOf('another')).toBe(theirs)
  await other.store.createJob(makeNewSwapJob('job_2', NOW), ROOM, LIMITS)
  expect(await nameOf('another')).not.toBe(theirs)
})
