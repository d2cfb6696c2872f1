/** Compares recording many jobs in one batch with recording them one by one. */
import { array, assert, asyncProperty, boolean, constantFrom, integer, option, record } from 'fast-check'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import type { CreatedJob } from '../../../src/store/job-store.ts'
import type { JobRequest } from '../../../src/store/sql/admission.ts'
import type { Engine } from '../../../src/store/sql/engine.ts'
import { createJobStore } from '../../../src/store/sql/job-store.ts'
import { createRecordJobs } from '../../../src/store/sql/record-jobs.ts'
import { LIMITS, makeNewSwapJob } from '../../support/jobs.ts'
import { openEngine } from '../../support/open-engine.ts'

const NOW = 1_700_000_000_000
const ROOM = { maxInFlight: 100, maxWaiting: 100 }

const job = record({
  tenant: constantFrom('a', 'b'),
  key: option(constantFrom('k1', 'k2')),
  digest: constantFrom('d1', 'd2', 'd3'),
  reuses: constantFrom(false, false, true),
  maySubmit: constantFrom(true, true, false),
  isLimited: boolean(),
})
const limits = record({
  quota: option(constantFrom({ limit: 7, reserve: 3 }, { limit: 20, reserve: 3 })),
  maxUnfinished: option(integer({ min: 1, max: 6 })),
  maxWaiting: option(integer({ min: 1, max: 6 })),
})
const smallRoom = record({ maxInFlight: integer({ min: 0, max: 4 }), maxWaiting: integer({ min: 0, max: 8 }) })

/** The parts of an outcome that must not depend on batching. */
function summarize(made: CreatedJob) {
  return 'job' in made ? { ...made, job: { id: made.job.id, leaseUntil: made.job.leaseUntil } } : made
}

async function empty({ db }: Engine): Promise<void> {
  for (const table of ['job_timeline', 'idempotency_keys', 'job_tags', 'usage_sums', 'jobs']) {
    await sql`delete from ${sql.table(table)}`.execute(db)
  }
}

test('recording jobs in a batch has the same outcomes as recording them one by one', async () => {
  const [engine, other] = [await openEngine(), await openEngine()]
  const [store, recordJobs] = [createJobStore(other), createRecordJobs(engine.nextChange)]
  await assert(
    asyncProperty(
      array(job, { minLength: 1, maxLength: 14 }),
      integer({ min: 0, max: 5 }),
      limits,
      smallRoom,
      async (wanted, storedBefore, someLimits, someRoom) => {
        const requests = wanted.map(({ tenant, key, digest, reuses, maySubmit, isLimited }, n): JobRequest => {
          const createdAt = NOW + n
          return {
            job: makeNewSwapJob(`job_${n}`, createdAt, {
              tenant,
              content: { digest, reuseSince: reuses ? NOW + 1 : null },
              leaseUntil: maySubmit ? createdAt + 1_000 : null,
              idempotency: key === null ? null : { key, fingerprint: `f${n}`, sealedKeys: [] },
            }),
            room: someRoom,
            limits: isLimited ? { ...LIMITS, ...someLimits } : LIMITS,
          }
        })
        const [before, batch] = [requests.slice(0, storedBefore), requests.slice(storedBefore)]
        const recordAll = async (some: readonly JobRequest[]) =>
          some.length === 0 ? [] : engine.queue.write('a', async (db) => recordJobs(db, some))
        const together = [...(await recordAll(before)), ...(await recordAll(batch))]
        const alone: CreatedJob[] = []
        for (const one of requests) alone.push(await store.createJob(one.job, one.room, one.limits))
        await Promise.all([empty(engine), empty(other)])
        expect(together.map(summarize)).toEqual(alone.map(summarize))
      },
    ),
    { numRuns: 60 },
  )
})

test('a job that cannot be recorded does not fail jobs that are recorded at the same time', async () => {
  const store = createJobStore(await openEngine())
  const ids = ['job_1', 'job_2', 'job_1', 'job_3']
  const made = await Promise.allSettled(
    ids.map(async (id, n) => {
      const idempotency = { key: `k${n}`, fingerprint: 'f', sealedKeys: [] }
      return store.createJob(makeNewSwapJob(id, NOW, { idempotency, tags: ['t'] }), ROOM, LIMITS)
    }),
  )
  expect(made.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled'])
  expect((await store.listTimelines(['job_1', 'job_2', 'job_3'])).map(({ length }) => length)).toEqual([1, 1, 1])
  const idempotency = { key: 'k2', fingerprint: 'f', sealedKeys: [] }
  const again = await store.createJob(makeNewSwapJob('job_4', NOW, { idempotency }), ROOM, LIMITS)
  expect(again.kind).toBe('created')
})

test('recording jobs while others are claimed never exceeds MAX_IN_FLIGHT', async () => {
  const store = createJobStore(await openEngine())
  const room = { maxInFlight: 4, maxWaiting: 100 }
  const waiting = await Promise.all(
    [1, 2, 3].map(async (n) => store.createJob(makeNewSwapJob(`job_${n}`, NOW, { leaseUntil: null }), room, LIMITS)),
  )
  const claim = { hookAddress: 'https://gateway/hooks/2', leaseUntil: NOW + 9, maxInFlight: 4 }
  const claims = waiting.map(async (made) => (made.kind === 'created' ? store.claimSubmit(made.job, claim) : null))
  const creates = Array.from({ length: 10 }, async (_unused, n) =>
    store.createJob(makeNewSwapJob(`job_new_${n}`, NOW, { leaseUntil: NOW + 9 }), room, LIMITS),
  )
  const claimed = (await Promise.all(claims)).filter((one) => one !== null).length
  const submitted = (await Promise.all(creates)).filter(
    (made) => made.kind === 'created' && made.job.leaseUntil !== null,
  ).length
  expect(claimed).toBe(3)
  expect(submitted).toBeLessThanOrEqual(1)
})
