/** Several hooks of one job: each gets a verdict of its own, and forged hooks do not block the genuine one. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { SwapJob } from '../../../src/domain/swap-job.ts'
import type { Confirmed } from '../../../src/jobs/lifecycle/confirmed.ts'
import { HookQueue } from '../../../src/jobs/lifecycle/hook-queue.ts'
import { createDeferred } from '../../support/deferred.ts'
import { CreateSwapDocument } from '../../support/generated.ts'
import { createFastClock } from '../../support/fast-clock.ts'
import { type AcceptedJob, FAKE_KEY } from '../../support/fake-upstream.ts'
import { makeSwapJob } from '../../support/jobs.ts'
import { createManualClock, START } from '../../support/manual-clock.ts'
import { createStepClock } from '../../support/step-clock.ts'
import { stillClock } from '../../support/still-clock.ts'
import { openTestApp, type TestApp, type TestAppOptions } from '../../support/test-app.ts'
import { until } from '../../support/until.ts'

const INPUT = { targetImage: { url: 'https://example.com/t.jpg' }, swapImage: { url: 'https://example.com/f.jpg' } }

/** A job whose submit was accepted, but whose response was lost. */
async function createUnconfirmed({ graphql, upstream }: TestApp) {
  upstream.planSubmits({ kind: 'acceptAndReset' })
  const { data } = await graphql(CreateSwapDocument.toString(), { input: INPUT })
  const own = upstream.accepted.at(-1)
  if (!own) throw new Error('the upstream took no job')
  expect(data.createSwap.job.status).toBe('UNCONFIRMED')
  return { id: String(data.createSwap.job.id), own }
}

/** Creates an upstream job of the same account that the gateway did not submit. */
async function createForeign({ upstream }: TestApp, state: AcceptedJob['state']) {
  await fetch(`${upstream.url}/insightFace/v1/swap`, {
    method: 'POST',
    headers: { 'tt-api-key': FAKE_KEY },
    body: JSON.stringify({ targetImage: 'https://a.example/', swapImage: 'https://b.example/', hookUrl: 'none' }),
  })
  const foreign = upstream.accepted.at(-1)
  if (!foreign) throw new Error('the upstream took no job')
  foreign.state = state
  return foreign
}

const naming = (jobId: string) => JSON.stringify({ status: 'SUCCESS', jobId })

const stateOf = async ({ graphql }: TestApp, id: string) =>
  (await graphql(`{ swapJob(id: "${id}") { status jobId charge { state } } }`)).data.swapJob

const fast = (factor: number, settings: Record<string, string> = {}): TestAppOptions => ({
  clock: createFastClock(factor),
  settings: { UNCONFIRMED_DEADLINE_S: '100000', ...settings },
})

test('an UNCONFIRMED job gets its result among hooks with foreign ids, in any order', async () => {
  const gateway = await openTestApp(fast(20))
  const done = await createForeign(gateway, { status: 'SUCCESS' })
  const queued = await createForeign(gateway, { status: 'ON_QUEUE' })
  const foreign = [naming(done.id), naming(queued.id), naming('SWAP-FACE-unknown'), '{}', 'no JSON']
  const hooks = fc.shuffledSubarray(foreign, { minLength: 1 })
  await fc.assert(
    fc.asyncProperty(hooks, fc.nat(foreign.length), async (bodies, at) => {
      const { id, own } = await createUnconfirmed(gateway)
      own.state = { status: 'SUCCESS' }
      const sent = bodies.toSpliced(at, 0, naming(own.id))
      const statuses = await Promise.all(sent.map((body) => gateway.upstream.sendHook(own, body)))
      expect(new Set(statuses)).toEqual(new Set([200]))
      const job = await until(async () => {
        const state = await stateOf(gateway, id)
        return state.status === 'SUCCESS' && state
      })
      expect(job).toMatchObject({ jobId: own.id, charge: { state: 'CHARGED' } })
    }),
    { numRuns: 8 },
  )
})

test('a hook whose fetch hangs does not block the fetch of the next hook of the job', async () => {
  const gateway = await openTestApp(fast(5))
  const { id, own } = await createUnconfirmed(gateway)
  own.state = { status: 'SUCCESS' }
  gateway.upstream.failFetches((asked) =>
    asked === own.id ? null : { status: 200, body: '', manner: { kind: 'hang' } },
  )
  expect(await gateway.upstream.sendHook(own, naming('SWAP-FACE-hangs'))).toBe(200)
  await until(() => gateway.upstream.fetched.length === 1)
  expect(await gateway.upstream.sendHook(own)).toBe(200)
  await until(async () => (await stateOf(gateway, id)).status === 'SUCCESS')
  // Cuts the fetch that hangs.
  await gateway.upstream.close()
})

test('a job has a bounded number of waiting hooks: the next one is refused, and the newest is fetched first', async () => {
  const gateway = await openTestApp(fast(5))
  const { id, own } = await createUnconfirmed(gateway)
  own.state = { status: 'SUCCESS' }
  // The upstream responds to no fetch, so that no hook is settled.
  gateway.upstream.failFetches(() => ({ status: 503, body: '' }))
  const statuses: number[] = []
  for (let n = 0; n < 15; n += 1) statuses.push(await gateway.upstream.sendHook(own, naming(`forged-${n}`)))
  statuses.push(await gateway.upstream.sendHook(own))
  expect(new Set(statuses)).toEqual(new Set([200]))
  expect(await gateway.upstream.sendHook(own, naming('one-too-many'))).toBe(503)
  // A duplicate of a waiting hook does not count.
  expect(await gateway.upstream.sendHook(own)).toBe(200)
  gateway.upstream.failFetches(null)
  await until(async () => (await stateOf(gateway, id)).status === 'SUCCESS')
})

test('a job with the maximum of hooks that the upstream does not know accepts another in place of the oldest', async () => {
  const gateway = await openTestApp(fast(20))
  const { id, own } = await createUnconfirmed(gateway)
  own.state = { status: 'SUCCESS' }
  for (let n = 0; n < 16; n += 1) expect(await gateway.upstream.sendHook(own, naming(`forged-${n}`))).toBe(200)
  await until(() => gateway.upstream.fetched.length >= 16)
  await until(async () => (await gateway.upstream.sendHook(own)) === 200)
  await until(async () => (await stateOf(gateway, id)).status === 'SUCCESS')
})

test('a hook is fetched at once although the job was polled less than a second ago', async () => {
  // No delay ends here: a hook that had to wait would wait forever.
  const gateway = await openTestApp({ clock: stillClock })
  const { data } = await gateway.graphql(CreateSwapDocument.toString(), { input: INPUT })
  const [accepted] = gateway.upstream.accepted
  if (!accepted) throw new Error('the upstream took no job')
  await stateOf(gateway, data.createSwap.job.id)
  expect(accepted.fetches).toBe(1)
  accepted.state = { status: 'SUCCESS' }
  expect(await gateway.upstream.sendHook(accepted)).toBe(200)
  await until(() => accepted.fetches === 2)
})

test('an UNCONFIRMED job is LOST at its deadline although one of its hooks names an id that the upstream does not know', async () => {
  const clock = createStepClock()
  const gateway = await openTestApp({ clock, settings: { UNCONFIRMED_DEADLINE_S: '60' } })
  const { id, own } = await createUnconfirmed(gateway)
  expect(await gateway.upstream.sendHook(own, naming('SWAP-FACE-unknown'))).toBe(200)
  await until(() => gateway.upstream.fetched.length > 0)
  // The clock does not advance on its own, so nothing that needs more time happens.
  clock.step(61_000)
  await until(async () => (await stateOf(gateway, id)).status === 'LOST')
})

test('a hook whose fetch is only starting counts as another hook of its job, until its fetch has ended', async () => {
  const clock = createManualClock()
  const [began, starting] = [createDeferred<void>(), createDeferred<void>()]
  const ended = createDeferred<Confirmed>()
  const job = makeSwapJob(clock.now())
  const queue = new HookQueue({
    spacingMs: 0,
    waitForSlot: async () => true,
    clock,
    fetch: async () => {
      began.resolve()
      await starting.promise
      return { verdict: ended.promise, job }
    },
  })
  const taken = queue.take(job, 'U1')
  await began.promise
  expect([queue.hasOthers(job.id, 'U1'), queue.hasOthers(job.id, 'U2')]).toEqual([false, true])
  starting.resolve()
  ended.resolve({ job, isAnswered: true, isReached: true, isForeign: false })
  await taken
  expect(queue.hasOthers(job.id, 'U2')).toBe(false)
})

test.each<[string, () => Promise<never> | Promise<{ verdict: null; job: SwapJob }>]>([
  ['fetched nothing', async () => ({ verdict: null, job: makeSwapJob(START) })],
  [
    'failed',
    async () => {
      throw new Error('the database is away')
    },
  ],
])('a hook whose slot %s no longer counts as a hook of its job, and may be accepted again', async (_what, fetch) => {
  const job = makeSwapJob(START)
  let fetches = 0
  const queue = new HookQueue({
    spacingMs: 0,
    waitForSlot: async () => true,
    clock: createManualClock(),
    fetch: async () => {
      fetches += 1
      return fetch()
    },
  })
  for (let n = 1; n <= 2; n += 1) {
    await queue.take(job, 'U1').catch(() => null)
    expect([queue.hasOthers(job.id, 'U2'), fetches]).toEqual([false, n])
  }
})
