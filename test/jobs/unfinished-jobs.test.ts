/** Unfinished jobs if hooks are lost, a process stops, or the upstream does not respond. */
import { expect, test } from 'vitest'
import { CreateSwapDocument } from '../support/generated.ts'
import { createFastClock } from '../support/fast-clock.ts'
import { openFakeUpstream } from '../support/fake-upstream.ts'
import { holdSubmit } from '../support/hold-submit.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { isOnPostgres } from '../support/raw-database.ts'
import {
  databaseUrlOf,
  makeDataDir,
  openTestApp,
  subscribeSse,
  type TestApp,
  type TestAppOptions,
} from '../support/test-app.ts'
import { until } from '../support/until.ts'

const INPUT = { targetImage: { url: 'https://example.com/t.jpg' }, swapImage: { url: 'https://example.com/f.jpg' } }

async function createJob(gateway: TestApp) {
  const { data } = await gateway.graphql(CreateSwapDocument.toString(), { input: INPUT })
  return String(data.createSwap.job.id)
}

/** Queries the job until it is done. */
const watchToEnd = async ({ graphql }: TestApp, id: string) =>
  until(async () => {
    const { data } = await graphql(
      `{ swapJob(id: "${id}") { status done timeline { status source } failure { code } charge { state } } }`,
    )
    return data.swapJob.done && data.swapJob
  })

const finish = (gateway: TestApp, n = 0) => {
  const job = gateway.upstream.accepted[n]
  if (!job) throw new Error('the upstream took no job')
  job.state = { status: 'SUCCESS' }
  return job
}

/** Options for a clock that runs 30 times as fast as the wall clock. */
const fast = (): TestAppOptions => ({ clock: createFastClock(30) })

test('polls alone finish a job if every hook is lost', async () => {
  const gateway = await openTestApp(fast())
  await createJob(gateway)
  finish(gateway)
  await until(() =>
    gateway.events.some(({ name, args }) => name === 'jobMoved' && JSON.stringify(args).includes('"RECONCILER"')),
  )
  expect(gateway.events.filter(({ name }) => name === 'jobMoved')).toHaveLength(2)
})

test('unfinished jobs continue after a restart with all stored data', async () => {
  const dataDir = await makeDataDir()
  const upstream = await openFakeUpstream()
  closeAfterTest(() => upstream.close())
  const first = await openTestApp({ dataDir, upstream })
  const id = await createJob(first)
  await first.app.close()
  finish(first)
  const second = await openTestApp({ dataDir, upstream, ...fast() })
  const job = await watchToEnd(second, id)
  expect(job.timeline.map(({ status }: { status: string }) => status)).toEqual(['PENDING', 'ON_QUEUE', 'SUCCESS'])
  expect(upstream.submits).toBe(1)
})

test('a submit that takes longer than its lease is not abandoned while its process lives', async () => {
  const options = fast()
  const gateway = await openTestApp(options)
  gateway.upstream.planSubmits({ kind: 'acceptAfter', until: async () => options.clock?.delay(25_000) })
  const id = await createJob(gateway)
  finish(gateway)
  const job = await watchToEnd(gateway, id)
  expect(job.timeline.map(({ status }: { status: string }) => status)).toEqual(['PENDING', 'ON_QUEUE', 'SUCCESS'])
})

test('a process that was paused for longer than a lease does not abandon its own submit', async () => {
  const clock = createFastClock(10)
  let [aheadMs, sweeps] = [0, 0]
  const gateway = await openTestApp({
    clock: {
      ...clock,
      now: () => clock.now() + aheadMs,
      delay: async (ms, signal) => {
        if (ms === 500) sweeps += 1
        return clock.delay(ms, signal)
      },
    },
  })
  const release = holdSubmit(gateway.upstream)
  const creating = createJob(gateway)
  await until(() => gateway.upstream.accepted[0])
  const sweptBefore = sweeps
  aheadMs = 15_000
  // Three sweeps take less than the 4 s after which the lease is renewed.
  await until(() => sweeps >= sweptBefore + 3)
  finish(gateway)
  release()
  const job = await watchToEnd(gateway, await creating)
  expect(job.timeline.map(({ status }: { status: string }) => status)).toEqual(['PENDING', 'ON_QUEUE', 'SUCCESS'])
})

// The embedded database allows one process at a time; there the fault scenarios cover a kill during a submit.
test.runIf(isOnPostgres)(
  'a submit whose process died is never retried: its job is UNCONFIRMED until a hook or its deadline',
  async () => {
    const dataDir = await makeDataDir()
    const upstream = await openFakeUpstream()
    closeAfterTest(() => upstream.close())
    const release = holdSubmit(upstream)
    // The first process hangs in the middle of its submit.
    const first = await openTestApp({ dataDir, upstream })
    const creating = createJob(first).catch(() => '')
    const accepted = await until(() => upstream.accepted[0])
    const second = await openTestApp({ upstream, settings: { DATABASE_URL: await databaseUrlOf(dataDir) }, ...fast() })
    await until(() =>
      second.events.some(({ name, args }) => name === 'jobMoved' && JSON.stringify(args).includes('"UNCONFIRMED"')),
    )
    expect(upstream.submits).toBe(1)

    accepted.state = { status: 'SUCCESS' }
    const token = new URL(accepted.hookUrl).pathname
    expect(
      (await fetch(second.app.url + token, { method: 'POST', body: JSON.stringify({ jobId: accepted.id }) })).status,
    ).toBe(200)
    await until(() =>
      second.events.some(({ name, args }) => name === 'jobMoved' && JSON.stringify(args).includes('"SUCCESS"')),
    )
    release()
    const job = await watchToEnd(second, await creating)
    expect(job.timeline.map(({ status }: { status: string }) => status)).toEqual(['PENDING', 'UNCONFIRMED', 'SUCCESS'])
    expect(upstream.submits).toBe(1)
  },
)

test('a shutdown drops fetches that wait for the rate limiter', async () => {
  const gateway = await openTestApp({ settings: { FETCH_PER_SECOND: '0.001' } })
  for (let n = 0; n < 3; n += 1) await createJob(gateway)
  const fetches = () => gateway.upstream.accepted.reduce((sum, job) => sum + job.fetches, 0)
  await gateway.upstream.sendHook(finish(gateway, 0))
  await until(() => fetches() === 1)
  await gateway.upstream.sendHook(finish(gateway, 1))
  await gateway.app.close()
  expect(fetches()).toBe(1)
  expect(gateway.events.filter(({ name }) => name === 'backgroundFailed')).toEqual([])
})

test('a job that the upstream never finishes is LOST at its deadline, with an unknown charge', async () => {
  const gateway = await openTestApp({ ...fast(), settings: { ON_QUEUE_DEADLINE_S: '20' } })
  const job = await watchToEnd(gateway, await createJob(gateway))
  expect(job).toMatchObject({ status: 'LOST', failure: { code: 'NO_OUTCOME' }, charge: { state: 'UNKNOWN' } })
})

test('a submit that is never confirmed is LOST at its deadline', async () => {
  const gateway = await openTestApp({ ...fast(), settings: { UNCONFIRMED_DEADLINE_S: '20' } })
  gateway.upstream.planSubmits({ kind: 'acceptAndReset' })
  const job = await watchToEnd(gateway, await createJob(gateway))
  expect(job.timeline.map(({ status }: { status: string }) => status)).toEqual(['PENDING', 'UNCONFIRMED', 'LOST'])
})

test('a swap that the upstream cannot accept before its deadline fails without being sent or charged', async () => {
  const gateway = await openTestApp({ ...fast(), settings: { SUBMIT_BEFORE_S: '15' } })
  const full = { kind: 'answer', status: 429, body: '{"status":"FAILED"}' } as const
  gateway.upstream.planSubmits(...Array.from({ length: 50 }, () => full))
  const job = await watchToEnd(gateway, await createJob(gateway))
  expect(job).toMatchObject({ status: 'FAILED', failure: { code: 'NOT_SUBMITTED' }, charge: { state: 'NOT_CHARGED' } })
  expect(gateway.upstream.accepted).toHaveLength(0)
})

test('a swap is submitted later if the upstream is busy at first', async () => {
  const gateway = await openTestApp(fast())
  gateway.upstream.planSubmits({ kind: 'answer', status: 499, body: '' }, { kind: 'answer', status: 429, body: '' })
  const id = await createJob(gateway)
  await until(() => gateway.upstream.accepted[0])
  finish(gateway)
  expect((await watchToEnd(gateway, id)).status).toBe('SUCCESS')
})

test('a job with a long delay between polls is polled soon once a caller watches it', async () => {
  const gateway = await openTestApp(fast())
  const id = await createJob(gateway)
  const job = gateway.upstream.accepted[0]
  // After five scheduled fetches the next delays are 21 s and 34 s.
  await until(() => job?.fetches === 5)
  finish(gateway)
  const events: string[] = []
  const started = gateway.clock.now()
  for await (const { data } of subscribeSse(
    gateway.app.url,
    'subscription ($id: ID!) { swapJobUpdated(id: $id) { status } }',
    { id },
  )) {
    events.push(data.swapJobUpdated.status)
  }
  expect(events).toEqual(['ON_QUEUE', 'SUCCESS'])
  expect(gateway.clock.now() - started).toBeLessThan(20_000)
})
