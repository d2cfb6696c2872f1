import { describe, expect, test } from 'vitest'
import type { ObservationSource } from '../../src/domain/swap-job.ts'
import type { TenantBudgetOptions } from '../../src/jobs/lifecycle/tenant-budget.ts'
import { ServiceStatus } from '../../src/jobs/service-status.ts'
import type { JobStore } from '../../src/store/job-store.ts'
import { type Lifecycle, openLifecycle } from '../support/lifecycle.ts'
import { viewerOf } from '../support/viewer.ts'

const HOUR_MS = 60 * 60 * 1_000
const DAY_MS = 24 * HOUR_MS
const NO_BUDGET: TenantBudgetOptions = { quotaPerDay: null, maxInFlight: null, maxWaiting: () => null }
const CHECKS = { keyAccepted: () => true, publicUrlReachable: () => null }
const ROOM = { maxInFlight: 2, maxWaiting: 3 }

function createStatus(
  { store, breaker, clock }: Lifecycle,
  over: { readonly budget?: Partial<TenantBudgetOptions>; readonly store?: Partial<JobStore> } = {},
) {
  const budget = { ...NO_BUDGET, ...over.budget }
  return new ServiceStatus({ store: { ...store, ...over.store }, breaker, checks: CHECKS, room: ROOM, budget, clock })
}

/** Creates a job that took `tookMs` upstream and has just ended in SUCCESS. */
async function createDone(
  lifecycle: Lifecycle,
  id: string,
  tookMs: number,
  source: ObservationSource = 'HOOK',
  quota = 4,
) {
  const job = await lifecycle.createOnQueue(id)
  lifecycle.clock.advance(tookMs)
  const links = { cdnImage: 'https://cdn.example.com/a.jpg', discordImage: null }
  const facts = { upstreamId: `U-${id}`, word: 'SUCCESS', links, quota, copyId: null, mirrorFailure: null }
  return lifecycle.report(job, { kind: 'succeeded', ...facts }, source)
}

describe('the service', () => {
  test('reports no durations and healthy hooks before any job has ended', async () => {
    const status = createStatus(await openLifecycle())
    expect(await status.read()).toEqual({
      accepting: true,
      typicalMs: null,
      slowMs: null,
      hooksHealthy: true,
      typicalQuota: null,
      keyAccepted: true,
      publicUrlReachable: null,
    })
  })

  test('reports the median and the ninetieth percentile of the jobs that ended within an hour', async () => {
    const lifecycle = await openLifecycle()
    await createDone(lifecycle, 'job_old', 50_000)
    lifecycle.clock.advance(HOUR_MS)
    for (let n = 1; n <= 10; n += 1) await createDone(lifecycle, `job_${n}`, n * 1_000)
    expect(await createStatus(lifecycle).read()).toMatchObject({ typicalMs: 6_000, slowMs: 10_000 })
  })

  test('reports the median of the latest charges, also of swaps that ended long ago', async () => {
    const lifecycle = await openLifecycle()
    for (const [n, quota] of [3, 9, 4].entries()) await createDone(lifecycle, `job_${n}`, 1, 'HOOK', quota)
    lifecycle.clock.advance(DAY_MS)
    const refused = await lifecycle.createClaimed('job_refused')
    const failure = { code: 'OTHER', message: 'No.', retryable: false } as const
    await lifecycle.report(refused, { kind: 'refused', failure })
    expect((await createStatus(lifecycle).read()).typicalQuota).toBe(4)
  })

  test.each([
    [2, 2, true],
    [1, 2, false],
  ])('with %i jobs ended by hooks and %i by polls reports healthy hooks: %s', async (byHook, byPoll, hooksHealthy) => {
    const lifecycle = await openLifecycle()
    for (let n = 0; n < byHook; n += 1) await createDone(lifecycle, `job_h${n}`, 1)
    for (let n = 0; n < byPoll; n += 1) await createDone(lifecycle, `job_p${n}`, 1, 'RECONCILER')
    expect((await createStatus(lifecycle).read()).hooksHealthy).toBe(hooksHealthy)
  })

  test('reads durations at most once in five seconds, and again after a read that failed', async () => {
    const lifecycle = await openLifecycle()
    let reads = 0
    const listRecent: JobStore['listRecent'] = async (...args) => {
      reads += 1
      if (reads === 1) throw new Error('the database is away')
      return lifecycle.store.listRecent(...args)
    }
    const status = createStatus(lifecycle, { store: { listRecent } })
    await expect(status.read()).rejects.toThrow('the database is away')
    await Promise.all([status.read(), status.read()])
    lifecycle.clock.advance(4_999)
    await status.read()
    expect(reads).toBe(2)
    lifecycle.clock.advance(1)
    await status.read()
    expect(reads).toBe(3)
  })

  test('accepts no swaps while the upstream is down', async () => {
    const lifecycle = await openLifecycle()
    for (let n = 0; n < 5; n += 1) lifecycle.breaker.failed()
    expect((await createStatus(lifecycle).read()).accepting).toBe(false)
  })

  test('accepts nothing while the queue is full', async () => {
    const lifecycle = await openLifecycle()
    const status = createStatus(lifecycle)
    for (let n = 1; n < ROOM.maxWaiting; n += 1) await lifecycle.create(`job_${n}`)
    expect((await status.read()).accepting).toBe(true)
    await lifecycle.create('job_last')
    expect((await status.read()).accepting).toBe(false)
  })
})

describe('the progress of a job', () => {
  test('is not estimated for a finished job', async () => {
    const lifecycle = await openLifecycle()
    expect(await createStatus(lifecycle).estimate(await createDone(lifecycle, 'job_1', 1))).toBeNull()
  })

  test('counts, while it waits, the jobs that will be submitted before it and the rounds they take', async () => {
    const lifecycle = await openLifecycle()
    await createDone(lifecycle, 'job_done', 10_000)
    const waiting = []
    for (let n = 0; n < 4; n += 1) {
      waiting.push(await lifecycle.create(`job_${n}`))
      lifecycle.clock.advance(1)
    }
    const status = createStatus(lifecycle)
    const now = lifecycle.clock.now()
    const estimates = await Promise.all(waiting.map(async (job) => status.estimate(job)))
    // MAX_IN_FLIGHT is two.
    expect(estimates.map((one) => [one?.ahead, (one?.medianDoneAt ?? 0) - now])).toEqual([
      [0, 10_000],
      [1, 10_000],
      [2, 20_000],
      [3, 20_000],
    ])
  })

  test('is overdue if the job takes longer than the ninetieth percentile', async () => {
    const lifecycle = await openLifecycle()
    await createDone(lifecycle, 'job_done', 10_000)
    const job = await lifecycle.createOnQueue('job_1')
    const status = createStatus(lifecycle)
    const doneAt = lifecycle.clock.now() + 10_000
    const sent = { waitingFor: null, lastRefusal: null, nextAttemptAt: job.wakeAt }
    const onTime = { ahead: null, medianDoneAt: doneAt, p90DoneAt: doneAt, overdue: false, ...sent }
    expect(await status.estimate(job)).toEqual(onTime)
    lifecycle.clock.advance(10_000)
    expect(await status.estimate(job)).toEqual(onTime)
    lifecycle.clock.advance(1)
    expect(await status.estimate(job)).toEqual({ ...onTime, overdue: true })
  })
})

describe('the progress of a queued job', () => {
  const BUSY = { reason: 'UPSTREAM_BUSY', message: 'The upstream is busy.' } as const

  /** Creates a job whose submit was refused and is retried in ten seconds. */
  async function createRefused(lifecycle: Lifecycle) {
    const claimed = await lifecycle.createClaimed('job_1')
    return lifecycle.report(claimed, { kind: 'released', retryAt: lifecycle.clock.now() + 10_000, refusal: BUSY })
  }

  test('says that a job without a submit waits for a slot', async () => {
    const lifecycle = await openLifecycle()
    expect(await createStatus(lifecycle).estimate(await lifecycle.create('job_1'))).toMatchObject({
      waitingFor: 'SLOT',
      lastRefusal: null,
      nextAttemptAt: null,
    })
  })

  test('states no reason to wait while the job is being submitted', async () => {
    const lifecycle = await openLifecycle()
    const wait = { waitingFor: null, lastRefusal: null, nextAttemptAt: null }
    expect(await createStatus(lifecycle).estimate(await lifecycle.createClaimed('job_1'))).toMatchObject(wait)
  })

  test('says that the upstream is busy and when the job is submitted again, and then that it waits for a slot', async () => {
    const lifecycle = await openLifecycle()
    const job = await createRefused(lifecycle)
    const status = createStatus(lifecycle)
    const lastRefusal = BUSY.message
    const nextAttemptAt = lifecycle.clock.now() + 10_000
    expect(await status.estimate(job)).toMatchObject({ waitingFor: 'UPSTREAM_BUSY', lastRefusal, nextAttemptAt })
    lifecycle.clock.advance(10_000)
    expect(await status.estimate(job)).toMatchObject({ waitingFor: 'SLOT', lastRefusal, nextAttemptAt: null })
  })

  test('says that the upstream is down while the circuit breaker is tripped, and when it lets a submit through', async () => {
    const lifecycle = await openLifecycle()
    const job = await createRefused(lifecycle)
    lifecycle.clock.advance(10_000)
    for (let n = 0; n < 5; n += 1) lifecycle.breaker.failed()
    const nextAttemptAt = lifecycle.clock.now() + 1_000
    const status = createStatus(lifecycle)
    expect(await status.estimate(job)).toMatchObject({ waitingFor: 'UPSTREAM_DOWN', nextAttemptAt })
    lifecycle.clock.advance(1_000)
    expect(await status.estimate(job)).toMatchObject({ waitingFor: 'UPSTREAM_DOWN', nextAttemptAt: null })
  })
})

describe('the usage of a tenant', () => {
  test('sums charges, reserves three units for each unknown one, and reports the rest of the quota', async () => {
    const lifecycle = await openLifecycle()
    await createDone(lifecycle, 'job_1', 1)
    await lifecycle.createOnQueue('job_2')
    await lifecycle.create('job_3', { tenant: 'b' })
    const status = createStatus(lifecycle, { budget: { quotaPerDay: 20 } })
    const usage = await status.readUsage(viewerOf('a'), HOUR_MS)
    expect(usage).toMatchObject({ spent: 4, uncertain: 3, remaining: 13, inFlight: 1, maxInFlight: ROOM.maxInFlight })
    expect(usage.counts.filter(({ count }) => count > 0)).toEqual([
      { status: 'ON_QUEUE', count: 1 },
      { status: 'SUCCESS', count: 1 },
    ])
  })

  test('never has less than zero units left', async () => {
    const lifecycle = await openLifecycle()
    await createDone(lifecycle, 'job_1', 1)
    const status = createStatus(lifecycle, { budget: { quotaPerDay: 3 } })
    expect((await status.readUsage(viewerOf('a'), HOUR_MS)).remaining).toBe(0)
  })

  test.each<[string, number, Partial<TenantBudgetOptions>]>([
    ['there is no quota', HOUR_MS, {}],
    ['the window is longer than a day', DAY_MS + 1, { quotaPerDay: 20 }],
  ])('does not report the rest of the quota if %s', async (_what, windowMs, budget) => {
    const status = createStatus(await openLifecycle(), { budget })
    expect((await status.readUsage(viewerOf('a'), windowMs)).remaining).toBeNull()
  })

  test('begins at a full quarter-hour, at or before the start of the window', async () => {
    const lifecycle = await openLifecycle()
    const { from, to } = await createStatus(lifecycle).readUsage(viewerOf('a'), HOUR_MS)
    expect(to).toBe(lifecycle.clock.now())
    expect(from % 900_000).toBe(0)
    expect(to - HOUR_MS - from).toBeGreaterThanOrEqual(0)
    expect(to - HOUR_MS - from).toBeLessThan(900_000)
  })

  test.each([
    ['without the scope swap:read', viewerOf('a', { scopes: ['swap:write'] }), 'swap:read'],
    ['to a watch token', viewerOf('a', { jobIds: ['job_1'] }), 'A watch token can read only its own job.'],
  ])('is refused %s', async (_what, viewer, message) => {
    const status = createStatus(await openLifecycle())
    await expect(status.readUsage(viewer, HOUR_MS)).rejects.toThrow(message)
  })
})
