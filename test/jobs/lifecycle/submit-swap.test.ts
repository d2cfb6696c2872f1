import { describe, expect, test } from 'vitest'
import type { SwapJob } from '../../../src/domain/swap-job.ts'
import { createHookAddresses } from '../../../src/jobs/lifecycle/hook-addresses.ts'
import type { Unsent } from '../../../src/jobs/lifecycle/release-unsent.ts'
import { Submitter, type SubmitterParts } from '../../../src/jobs/lifecycle/submit-swap.ts'
import { CommitUnknownError } from '../../../src/store/job-store.ts'
import type { SubmitOutcome } from '../../../src/upstream/upstream.ts'
import { createDeferred } from '../../support/deferred.ts'
import { type Lifecycle, MIDDLE, openLifecycle } from '../../support/lifecycle.ts'

const failure = { code: 'UPSTREAM_REFUSED', message: 'The upstream refused it.', retryable: true } as const
const UNKNOWN: SubmitOutcome = {
  kind: 'unknown',
  httpStatus: null,
  upstreamMessage: null,
  reason: 'the connection was reset',
}
const NOT_SENT: SubmitOutcome = { kind: 'notSent', reason: 'connection refused' }
const BUSY: SubmitOutcome = {
  kind: 'refused',
  httpStatus: 429,
  transient: true,
  retryAfterMs: null,
  failure,
  upstreamMessage: null,
}
const hookAddresses = createHookAddresses('https://gateway.example', ['a-secret-of-some-length'])

function createSubmitterOf(lifecycle: Lifecycle, over: Partial<SubmitterParts> = {}) {
  const { store, breaker, background, leases, upstream, applyReport, telemetry, clock } = lifecycle
  const unsent: Unsent[] = []
  const submitter = new Submitter({
    store,
    breaker,
    maxInFlight: 10,
    background,
    leases,
    releaseUnsent: (claim) => unsent.push(claim),
    upstream,
    applyReport,
    hookAddresses,
    telemetry,
    clock,
    random: MIDDLE,
    ...over,
  })
  return {
    submit: async (job: SwapJob) => submitter.submit(job),
    submitWaiting: async () => submitter.submitWaiting(),
    unsent,
  }
}

describe('the submit of a claimed job', () => {
  test('sends the image addresses and the hook address of the claim, byte for byte', async () => {
    const lifecycle = await openLifecycle()
    const targetImageUrl = 'https://example.com/a%2Fb.jpg?x=%7E&y=ä'
    const job = await lifecycle.createClaimed('job_1', { targetImageUrl, hookAddress: 'https://gateway/hooks/abc' })
    await createSubmitterOf(lifecycle).submit(job)
    const swapImage = job.swapImageUrl
    expect(lifecycle.upstream.submitted).toEqual([
      { targetImage: targetImageUrl, swapImage, hookUrl: 'https://gateway/hooks/abc' },
    ])
  })

  test.each<[string, SubmitOutcome, object]>([
    [
      'enqueues the job when it is accepted',
      { kind: 'accepted', upstreamId: 'U7' },
      { status: 'ON_QUEUE', upstreamId: 'U7', charge: { state: 'PENDING', quota: null } },
    ],
    [
      'fails the job without a charge when the refusal is final',
      { kind: 'refused', httpStatus: 401, transient: false, retryAfterMs: null, failure, upstreamMessage: null },
      { status: 'FAILED', failure, charge: { state: 'NOT_CHARGED', quota: null } },
    ],
    ['makes the job UNCONFIRMED when its outcome is unknown', UNKNOWN, { status: 'UNCONFIRMED', upstreamId: null }],
    ['lets the job wait again when nothing was sent', NOT_SENT, { status: 'PENDING', leaseUntil: null }],
    ['lets the job wait again when the upstream is busy', BUSY, { status: 'PENDING', leaseUntil: null }],
  ])('%s', async (_what, outcome, end) => {
    const lifecycle = await openLifecycle()
    const job = await lifecycle.createClaimed('job_1')
    lifecycle.upstream.planSubmits(outcome)
    const submitted = await createSubmitterOf(lifecycle).submit(job)
    expect(submitted).toMatchObject(end)
    expect(await lifecycle.read('job_1')).toEqual(submitted)
    expect(lifecycle.leases.isHeld('job_1')).toBe(false)
    expect(lifecycle.eventsOf('submitEnded').map(([, ended]) => ended)).toMatchObject([{ kind: outcome.kind }])
    await lifecycle.background.settled()
  })

  test('delays the next attempt by the backoff, and by Retry-After if the upstream sent it', async () => {
    const lifecycle = await openLifecycle()
    lifecycle.upstream.planSubmits({ ...BUSY, retryAfterMs: 20_000 })
    const { notBefore } = await createSubmitterOf(lifecycle).submit(await lifecycle.createClaimed('job_1'))
    expect(notBefore).toBe(lifecycle.clock.now() + 250 + 500 + 20_000)
  })

  test('holds the lease of the job until its outcome is stored, and delays a shutdown until then', async () => {
    const lifecycle = await openLifecycle()
    const answer = createDeferred<SubmitOutcome>()
    lifecycle.upstream.planSubmits(answer.promise)
    const job = await lifecycle.createClaimed('job_1')
    // The caller disconnects and ignores the promise.
    void createSubmitterOf(lifecycle).submit(job)
    expect(lifecycle.leases.isHeld('job_1')).toBe(true)
    let isSettled = false
    const settled = lifecycle.background.settled().then(() => (isSettled = true))
    await lifecycle.clock.untilPending()
    expect([isSettled, lifecycle.leases.isHeld('job_1')]).toEqual([false, true])
    answer.resolve({ kind: 'accepted', upstreamId: 'U1' })
    await settled
    expect(await lifecycle.read('job_1')).toMatchObject({ status: 'ON_QUEUE' })
    expect(lifecycle.leases.isHeld('job_1')).toBe(false)
  })

  test('stores its outcome once the database is back, and is not sent again', async () => {
    const lifecycle = await openLifecycle()
    let failures = 3
    const submitter = createSubmitterOf(lifecycle, {
      applyReport: async (...args) => {
        failures -= 1
        if (failures >= 0) throw new Error('the database is away')
        return lifecycle.applyReport(...args)
      },
    })
    const submitting = submitter.submit(await lifecycle.createClaimed('job_1'))
    for (let n = 0; n < 3; n += 1) {
      // Two delays are pending: the backoff of the next try, and the renewal of the leases.
      await lifecycle.clock.untilPending(2)
      lifecycle.clock.advance(1_000)
    }
    expect(await submitting).toMatchObject({ status: 'ON_QUEUE', upstreamId: 'U1' })
    expect(lifecycle.upstream.submitted).toHaveLength(1)
  })

  test('releases its lease if ten writes fail, so that the job becomes UNCONFIRMED', async () => {
    const lifecycle = await openLifecycle()
    let tries = 0
    const submitter = createSubmitterOf(lifecycle, {
      applyReport: async () => {
        tries += 1
        throw new Error('the database is away')
      },
    })
    const submitting = submitter.submit(await lifecycle.createClaimed('job_1')).catch((error: unknown) => error)
    for (let n = 0; n < 9; n += 1) {
      await lifecycle.clock.untilPending(2)
      lifecycle.clock.advance(1_000)
    }
    expect(await submitting).toEqual(new Error('the database is away'))
    expect(tries).toBe(10)
    expect(lifecycle.leases.isHeld('job_1')).toBe(false)
    expect(lifecycle.upstream.submitted).toHaveLength(1)
  })

  test('is refused for a job that is not claimed, and sends nothing', async () => {
    const lifecycle = await openLifecycle()
    const waiting = await lifecycle.create('job_1')
    await expect(createSubmitterOf(lifecycle).submit(waiting)).rejects.toThrow(TypeError)
    expect(lifecycle.upstream.submitted).toEqual([])
  })

  test.each<[SubmitOutcome, boolean]>([
    [UNKNOWN, true],
    [NOT_SENT, true],
    [BUSY, false],
  ])('counts as an upstream failure only if the upstream could not be reached: $0.kind', async (outcome, isTripped) => {
    const lifecycle = await openLifecycle()
    const submitter = createSubmitterOf(lifecycle)
    lifecycle.upstream.planSubmits(...Array.from({ length: 5 }, () => outcome))
    for (let n = 0; n < 5; n += 1) await submitter.submit(await lifecycle.createClaimed(`job_${n}`))
    expect(lifecycle.breaker.isTripped()).toBe(isTripped)
  })
})

describe('the waiting jobs', () => {
  test('are submitted oldest first while fewer than MAX_IN_FLIGHT are in flight, each with its own hook address', async () => {
    const lifecycle = await openLifecycle()
    for (let n = 0; n < 4; n += 1) {
      await lifecycle.create(`job_${n}`)
      lifecycle.clock.advance(1)
    }
    await createSubmitterOf(lifecycle, { maxInFlight: 3 }).submitWaiting()
    await lifecycle.background.settled()
    expect(lifecycle.upstream.submitted.map(({ hookUrl }) => hookUrl)).toEqual(
      [0, 1, 2].map((n) => hookAddresses.addressOf(`job_${n}`)),
    )
    expect(await lifecycle.read('job_3')).toMatchObject({ status: 'PENDING', leaseUntil: null, fencing: 0 })
  })

  test('are not submitted before their next attempt is due', async () => {
    const lifecycle = await openLifecycle()
    const { submitWaiting } = createSubmitterOf(lifecycle)
    const job = await lifecycle.createClaimed('job_1')
    await lifecycle.report(job, { kind: 'released', retryAt: lifecycle.clock.now() + 1_000 })
    lifecycle.clock.advance(999)
    await submitWaiting()
    expect(lifecycle.upstream.submitted).toHaveLength(0)
    lifecycle.clock.advance(1)
    await submitWaiting()
    await lifecycle.background.settled()
    expect(await lifecycle.read('job_1')).toMatchObject({ status: 'ON_QUEUE', fencing: 2 })
  })

  test('are not submitted while the upstream is down, and one of them is the probe after the pause', async () => {
    const lifecycle = await openLifecycle()
    for (let n = 0; n < 5; n += 1) lifecycle.breaker.failed()
    for (let n = 0; n < 3; n += 1) await lifecycle.create(`job_${n}`)
    const { submitWaiting } = createSubmitterOf(lifecycle)
    await submitWaiting()
    expect(lifecycle.upstream.submitted).toHaveLength(0)
    const answer = createDeferred<SubmitOutcome>()
    lifecycle.upstream.planSubmits(answer.promise)
    lifecycle.clock.advance(1_000)
    await submitWaiting()
    expect(lifecycle.upstream.submitted).toHaveLength(1)
    answer.resolve({ kind: 'accepted', upstreamId: 'U-probe' })
    await lifecycle.background.settled()
    await submitWaiting()
    await lifecycle.background.settled()
    expect(lifecycle.upstream.submitted).toHaveLength(3)
  })

  test('leave the probe to another call if MAX_IN_FLIGHT jobs are in flight', async () => {
    const lifecycle = await openLifecycle()
    await lifecycle.createOnQueue('job_1')
    await lifecycle.create('job_2')
    for (let n = 0; n < 5; n += 1) lifecycle.breaker.failed()
    lifecycle.clock.advance(1_000)
    await createSubmitterOf(lifecycle, { maxInFlight: 1 }).submitWaiting()
    expect(lifecycle.upstream.submitted).toHaveLength(0)
    expect(lifecycle.breaker.tryPass()).toBe(true)
  })

  test('are each claimed once if two callers submit them at the same time', async () => {
    const lifecycle = await openLifecycle()
    for (let n = 0; n < 4; n += 1) await lifecycle.create(`job_${n}`)
    const { submitWaiting } = createSubmitterOf(lifecycle)
    await Promise.all([submitWaiting(), submitWaiting()])
    // One of the two may have given up because the other was faster.
    await submitWaiting()
    await lifecycle.background.settled()
    expect(new Set(lifecycle.upstream.submitted.map(({ hookUrl }) => hookUrl)).size).toBe(4)
    expect(lifecycle.upstream.submitted).toHaveLength(4)
  })

  test('are not sent if the commit of their claim is in doubt; the claim is passed on to be released', async () => {
    const lifecycle = await openLifecycle()
    await lifecycle.create('job_1')
    const doubt = new CommitUnknownError(null, async () => null)
    const { findNextWaiting } = lifecycle.store
    const submitter = createSubmitterOf(lifecycle, {
      store: {
        findNextWaiting,
        claimSubmit: async () => {
          throw doubt
        },
      },
    })
    await expect(submitter.submitWaiting()).rejects.toBe(doubt)
    expect(submitter.unsent).toEqual([
      { jobId: 'job_1', fencing: 1, leaseUntil: lifecycle.clock.now() + 12_000, mayWait: true },
    ])
    expect(lifecycle.upstream.submitted).toHaveLength(0)
  })
})
