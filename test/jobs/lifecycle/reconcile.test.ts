import { describe, expect, test } from 'vitest'
import { openReconciler, type ReconcilerParts } from '../../../src/jobs/lifecycle/reconcile.ts'
import type { FetchOutcome } from '../../../src/upstream/upstream.ts'
import { closeAfterTest } from '../../support/close-after-test.ts'
import { createDeferred } from '../../support/deferred.ts'
import { createConfirmerOf, DEADLINES, type Lifecycle, openLifecycle } from '../../support/lifecycle.ts'
import { START } from '../../support/manual-clock.ts'
import { DOWN, succeeded, unfinished } from '../../support/upstream-port.ts'

const SWEEP_EVERY_MS = 500
/** How long a sweep's claim of a job lasts. */
const CLAIM_MS = 10_000
const LAST_LOOK_MS = 600_000

/** Starts the reconciler, and waits for its first sweep and the work that it began. */
async function startReconciler(lifecycle: Lifecycle, over: Partial<ReconcilerParts> = {}) {
  const { store, applyReport, breaker, leases, background, telemetry, clock } = lifecycle
  const confirmer = createConfirmerOf(lifecycle)
  const hooks = { checkOnceMore: async () => true }
  const parts = { store, confirmer, applyReport, breaker, hooks, leases, background, telemetry, clock, ...over }
  const reconciler = openReconciler(parts)
  closeAfterTest(() => reconciler.close())
  await clock.untilPending()
  await background.settled()
  return reconciler
}

/** Advances the clock sweep by sweep, and waits for the work of each. */
async function pass({ clock, background }: Lifecycle, ms: number): Promise<void> {
  for (const end = clock.now() + ms; clock.now() < end;) {
    clock.advance(SWEEP_EVERY_MS)
    await clock.untilPending()
    await background.settled()
  }
}

describe('a job that the upstream has', () => {
  test('is polled 2, 3, 5, 8, 13 and 21 seconds apart while it is unfinished', async () => {
    const lifecycle = await openLifecycle()
    await lifecycle.createOnQueue('job_1')
    await startReconciler(lifecycle)
    const polledAt: number[] = []
    while (polledAt.length < 6) {
      await pass(lifecycle, SWEEP_EVERY_MS)
      if (lifecycle.upstream.fetched.length > polledAt.length) polledAt.push(lifecycle.clock.now() - START)
    }
    expect(polledAt).toEqual([2_000, 5_000, 10_000, 18_000, 31_000, 52_000])
  })

  test('is finished by polling alone if no hook arrives', async () => {
    const lifecycle = await openLifecycle()
    await lifecycle.createOnQueue('job_1')
    lifecycle.upstream.planFetches(unfinished('U-job_1'), succeeded('U-job_1'))
    await startReconciler(lifecycle)
    await pass(lifecycle, 5_000)
    const [timeline = []] = await lifecycle.store.listTimelines(['job_1'])
    expect(timeline.at(-1)).toMatchObject({ status: 'SUCCESS', source: 'RECONCILER' })
    await pass(lifecycle, 60_000)
    expect(lifecycle.upstream.fetched).toHaveLength(2)
  })

  test('is LOST at its deadline if the last poll returns no outcome', async () => {
    const lifecycle = await openLifecycle()
    await lifecycle.createOnQueue('job_1')
    lifecycle.clock.advance(DEADLINES.onQueueMs - 2_000)
    await startReconciler(lifecycle)
    await pass(lifecycle, 1_500)
    expect(await lifecycle.read('job_1')).toMatchObject({ status: 'ON_QUEUE', fetches: 1 })
    await pass(lifecycle, 500)
    expect(lifecycle.upstream.fetched).toHaveLength(2)
    expect(await lifecycle.read('job_1')).toMatchObject({
      status: 'LOST',
      failure: { code: 'NO_OUTCOME' },
      charge: { state: 'UNKNOWN', quota: null },
    })
  })

  test('is LOST ten minutes after its deadline if the last poll cannot reach the upstream', async () => {
    const lifecycle = await openLifecycle()
    await lifecycle.createOnQueue('job_1')
    lifecycle.clock.advance(DEADLINES.onQueueMs)
    lifecycle.upstream.planFetches(DOWN)
    await startReconciler(lifecycle)
    expect(await lifecycle.read('job_1')).toMatchObject({ status: 'ON_QUEUE', fetches: 1 })
    lifecycle.clock.advance(LAST_LOOK_MS)
    lifecycle.upstream.planFetches(DOWN)
    await pass(lifecycle, SWEEP_EVERY_MS)
    expect((await lifecycle.read('job_1')).status).toBe('LOST')
  })

  test('is not polled while the upstream is down', async () => {
    const lifecycle = await openLifecycle()
    await lifecycle.createOnQueue('job_1')
    for (let n = 0; n < 20; n += 1) lifecycle.breaker.failed()
    await startReconciler(lifecycle, { breaker: { isOpen: () => true } })
    await pass(lifecycle, 10_000)
    expect(lifecycle.upstream.fetched).toEqual([])
  })
})

describe('a job that is being submitted', () => {
  test('becomes UNCONFIRMED when its lease expires', async () => {
    const lifecycle = await openLifecycle()
    const { leaseUntil } = await lifecycle.createClaimed('job_1')
    lifecycle.clock.advance((leaseUntil ?? 0) - lifecycle.clock.now() - SWEEP_EVERY_MS)
    await startReconciler(lifecycle)
    expect((await lifecycle.read('job_1')).status).toBe('PENDING')
    await pass(lifecycle, SWEEP_EVERY_MS)
    expect(await lifecycle.read('job_1')).toMatchObject({ status: 'UNCONFIRMED', leaseUntil: null })
  })

  test('does not change after its lease expired while its own process holds it', async () => {
    const lifecycle = await openLifecycle()
    const job = await lifecycle.createClaimed('job_1')
    const settle = lifecycle.leases.doubt('job_1')
    lifecycle.clock.advance(15_000)
    await startReconciler(lifecycle)
    await pass(lifecycle, CLAIM_MS)
    expect(await lifecycle.read('job_1')).toMatchObject({ status: 'PENDING', leaseUntil: job.leaseUntil })
    settle()
    await pass(lifecycle, CLAIM_MS)
    expect((await lifecycle.read('job_1')).status).toBe('UNCONFIRMED')
  })
})

test('a job that waits too long for its submit fails without being sent or charged', async () => {
  const lifecycle = await openLifecycle()
  const job = await lifecycle.createClaimed('job_1')
  await lifecycle.report(job, { kind: 'released', retryAt: START })
  lifecycle.clock.advance(DEADLINES.submitBeforeMs)
  await startReconciler(lifecycle)
  expect(await lifecycle.read('job_1')).toMatchObject({
    status: 'FAILED',
    failure: { code: 'NOT_SUBMITTED' },
    charge: { state: 'NOT_CHARGED', quota: null },
  })
})

describe('an unconfirmed job', () => {
  test('is LOST at its deadline, after its hooks were checked once more', async () => {
    const lifecycle = await openLifecycle()
    await lifecycle.createUnconfirmed('job_1')
    const checkedIds: string[] = []
    const hooks = {
      checkOnceMore: async (jobId: string) => {
        checkedIds.push(jobId)
        return true
      },
    }
    lifecycle.clock.advance(DEADLINES.unconfirmedMs - SWEEP_EVERY_MS)
    await startReconciler(lifecycle, { hooks })
    expect(checkedIds).toEqual([])
    await pass(lifecycle, SWEEP_EVERY_MS)
    expect(checkedIds).toEqual(['job_1'])
    expect((await lifecycle.read('job_1')).status).toBe('LOST')
    expect(lifecycle.upstream.fetched).toEqual([])
  })

  test('is LOST ten minutes after its deadline if its hooks cannot be confirmed upstream', async () => {
    const lifecycle = await openLifecycle()
    await lifecycle.createUnconfirmed('job_1')
    lifecycle.clock.advance(DEADLINES.unconfirmedMs)
    await startReconciler(lifecycle, { hooks: { checkOnceMore: async () => false } })
    expect((await lifecycle.read('job_1')).status).toBe('UNCONFIRMED')
    lifecycle.clock.advance(LAST_LOOK_MS)
    await pass(lifecycle, SWEEP_EVERY_MS)
    expect((await lifecycle.read('job_1')).status).toBe('LOST')
  })
})

test('a job whose check fails five consecutive times is postponed to its deadline, and blocks no other job', async () => {
  const lifecycle = await openLifecycle()
  await lifecycle.createOnQueue('job_poison')
  await lifecycle.createOnQueue('job_sound')
  let polls = 0
  const confirmer: ReconcilerParts['confirmer'] = {
    poll: async (job) => {
      if (job.id === 'job_sound') return { job, isAnswered: true, isReached: true, isForeign: false }
      polls += 1
      throw new Error('the poison')
    },
  }
  lifecycle.clock.advance(2_000)
  await startReconciler(lifecycle, { confirmer })
  await pass(lifecycle, 10 * CLAIM_MS)
  expect(polls).toBe(5)
  expect(lifecycle.eventsOf('backgroundFailed')).toHaveLength(4)
  expect(lifecycle.eventsOf('jobParked').map(([job]) => job)).toEqual([expect.objectContaining({ id: 'job_poison' })])
  lifecycle.clock.advance(DEADLINES.onQueueMs)
  await pass(lifecycle, CLAIM_MS)
  expect((await lifecycle.read('job_poison')).status).toBe('LOST')
  expect((await lifecycle.read('job_sound')).status).toBe('LOST')
  expect(polls).toBe(5)
})

test('the reconciler handles at most a hundred jobs at a time, and the remaining ones next', async () => {
  const lifecycle = await openLifecycle()
  for (let n = 0; n < 102; n += 1) await lifecycle.createOnQueue(`job_${n}`)
  const answer = createDeferred<FetchOutcome>()
  lifecycle.upstream.planFetches(...Array.from({ length: 100 }, () => answer.promise))
  lifecycle.clock.advance(2_000)
  const { store, clock, upstream } = lifecycle
  const claimed: number[] = []
  const claimDue: typeof store.claimDue = async (now, until, limit) => {
    const due = await store.claimDue(now, until, limit)
    claimed.push(due.length)
    return due
  }
  // Does not wait for the work of the first sweep: its polls are held.
  const starting = startReconciler(lifecycle, { store: { claimDue } })
  await clock.untilPending()
  clock.advance(SWEEP_EVERY_MS)
  await clock.untilPending()
  expect(claimed).toEqual([100])
  answer.resolve(unfinished('U-any'))
  await starting
  await pass(lifecycle, SWEEP_EVERY_MS)
  expect(claimed).toEqual([100, 2])
  expect(new Set(upstream.fetched).size).toBe(102)
})

test('a failed sweep is reported, and the next one runs', async () => {
  const lifecycle = await openLifecycle()
  await lifecycle.createOnQueue('job_1')
  let isAway = true
  const claimDue: typeof lifecycle.store.claimDue = async (...args) => {
    if (isAway) throw new Error('the database is away')
    return lifecycle.store.claimDue(...args)
  }
  lifecycle.clock.advance(2_000)
  await startReconciler(lifecycle, { store: { claimDue } })
  expect(lifecycle.eventsOf('backgroundFailed')).toEqual([['poll due jobs', new Error('the database is away')]])
  isAway = false
  await pass(lifecycle, SWEEP_EVERY_MS)
  expect(lifecycle.upstream.fetched).toEqual(['U-job_1'])
})

test('a closed reconciler does not sweep', async () => {
  const lifecycle = await openLifecycle()
  await lifecycle.createOnQueue('job_1')
  const reconciler = await startReconciler(lifecycle)
  await reconciler.close()
  expect(lifecycle.clock.pendingMs).toEqual([])
  lifecycle.clock.advance(60_000)
  await lifecycle.background.settled()
  expect(lifecycle.upstream.fetched).toEqual([])
})
