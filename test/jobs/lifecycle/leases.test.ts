import { expect, test } from 'vitest'
import { createLeases, SUBMIT_LEASE_MS } from '../../../src/jobs/lifecycle/leases.ts'
import type { JobStore } from '../../../src/store/job-store.ts'
import { createDeferred } from '../../support/deferred.ts'
import { openLifecycle } from '../../support/lifecycle.ts'

const RENEWED_AFTER_MS = 4_000

test('held leases are renewed every four seconds, all in one write', async () => {
  const { createClaimed, leases, clock, read, background } = await openLifecycle()
  const jobs = [await createClaimed('job_1'), await createClaimed('job_2')]
  const held = jobs.map((job) => leases.hold(job))
  for (let round = 1; round <= 3; round += 1) {
    await clock.untilPending()
    expect(clock.pendingMs).toEqual([RENEWED_AFTER_MS])
    clock.advance(RENEWED_AFTER_MS)
    await clock.untilPending()
    for (const { id } of jobs) {
      const leaseUntil = clock.now() + SUBMIT_LEASE_MS
      expect(await read(id)).toMatchObject({ leaseUntil, wakeAt: leaseUntil, version: 1, fencing: 1 })
    }
  }
  for (const { release } of held) release()
  await background.settled()
  expect(clock.pendingMs).toEqual([])
})

test('a released lease is not renewed, and its job is no longer held', async () => {
  const { createClaimed, leases, clock, read, background } = await openLifecycle()
  const job = await createClaimed('job_1')
  const { release } = leases.hold(job)
  expect(leases.isHeld('job_1')).toBe(true)
  release()
  expect(leases.isHeld('job_1')).toBe(false)
  await background.settled()
  clock.advance(RENEWED_AFTER_MS)
  expect(await read('job_1')).toEqual(job)
})

test('a job stays held after its renewals are stopped, until it is released', async () => {
  const { createClaimed, leases, clock, read } = await openLifecycle()
  const job = await createClaimed('job_1')
  const { stopRenewing, release } = leases.hold(job)
  await stopRenewing()
  await clock.untilPending()
  clock.advance(RENEWED_AFTER_MS)
  await clock.untilPending()
  expect(await read('job_1')).toEqual(job)
  expect(leases.isHeld('job_1')).toBe(true)
  release()
  expect(leases.isHeld('job_1')).toBe(false)
})

test('stopping the renewals of a lease waits for the renewal in progress', async () => {
  const { createClaimed, store, background, clock } = await openLifecycle()
  const job = await createClaimed('job_1')
  const writing = createDeferred<void>()
  const began = createDeferred<void>()
  const applyDecision: JobStore['applyDecision'] = async (...args) => {
    began.resolve()
    await writing.promise
    return store.applyDecision(...args)
  }
  const { stopRenewing, release } = createLeases({ applyDecision }, background, clock).hold(job)
  await clock.untilPending()
  clock.advance(RENEWED_AFTER_MS)
  await began.promise
  const order: string[] = []
  const stopped = stopRenewing().then(() => order.push('stopped'))
  order.push('written')
  writing.resolve()
  await stopped
  expect(order).toEqual(['written', 'stopped'])
  release()
  await background.settled()
})

test('a lease is no longer held after 33 seconds', async () => {
  const { createClaimed, leases, clock, read, background } = await openLifecycle()
  leases.hold(await createClaimed('job_1'))
  for (let round = 1; round <= 8; round += 1) {
    await clock.untilPending()
    clock.advance(RENEWED_AFTER_MS)
  }
  await clock.untilPending()
  expect(leases.isHeld('job_1')).toBe(true)
  const renewedAt = clock.now()
  clock.advance(RENEWED_AFTER_MS)
  await background.settled()
  expect(leases.isHeld('job_1')).toBe(false)
  expect((await read('job_1')).leaseUntil).toBe(renewedAt + SUBMIT_LEASE_MS)
})

test('a lease is no longer held once another process has changed its job', async () => {
  const { createClaimed, leases, clock, report, read, background } = await openLifecycle()
  const job = await createClaimed('job_1')
  leases.hold(job)
  const moved = await report(job, { kind: 'accepted', upstreamId: 'U1' })
  await clock.untilPending()
  clock.advance(RENEWED_AFTER_MS)
  await background.settled()
  expect(leases.isHeld('job_1')).toBe(false)
  expect(await read('job_1')).toEqual(moved)
})

test('a lease stays held while the database cannot be written, and is renewed once it can', async () => {
  const { createClaimed, store, background, clock, read } = await openLifecycle()
  let isAway = true
  const applyDecision: JobStore['applyDecision'] = async (...args) => {
    if (isAway) throw new Error('the database is away')
    return store.applyDecision(...args)
  }
  const leases = createLeases({ applyDecision }, background, clock)
  const job = await createClaimed('job_1')
  const { release } = leases.hold(job)
  const passRound = async () => {
    await clock.untilPending()
    clock.advance(RENEWED_AFTER_MS)
    await clock.untilPending()
  }
  await passRound()
  expect(leases.isHeld('job_1')).toBe(true)
  expect(await read('job_1')).toEqual(job)
  isAway = false
  await passRound()
  expect((await read('job_1')).leaseUntil).toBe(clock.now() + SUBMIT_LEASE_MS)
  release()
  await background.settled()
})

test('a job whose claim is in doubt counts as held, without renewals, until the doubt is settled', async () => {
  const { createClaimed, leases, clock } = await openLifecycle()
  await createClaimed('job_1')
  const settle = leases.doubt('job_1')
  expect(leases.isHeld('job_1')).toBe(true)
  expect(clock.pendingMs).toEqual([])
  settle()
  expect(leases.isHeld('job_1')).toBe(false)
})

test('releasing an earlier lease of a job keeps the lease of its new claim', async () => {
  const { createClaimed, leases, report, store, clock } = await openLifecycle()
  const first = await createClaimed('job_1')
  const earlier = leases.hold(first)
  const waiting = await report(first, { kind: 'released', retryAt: clock.now() })
  const claim = { hookAddress: 'https://gateway/hooks/1', leaseUntil: clock.now() + SUBMIT_LEASE_MS, maxInFlight: 1 }
  const second = await store.claimSubmit(waiting, claim)
  if (!second) throw new Error('the job was not claimed')
  const later = leases.hold(second)
  earlier.release()
  expect(leases.isHeld('job_1')).toBe(true)
  later.release()
  expect(leases.isHeld('job_1')).toBe(false)
})
