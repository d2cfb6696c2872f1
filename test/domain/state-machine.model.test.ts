/**
 * A model of the state machine: random interleavings of submits and their responses, hooks that are lost,
 * duplicated, early or contradictory, fetches, crashes, expiring leases, and time. The job is checked against the
 * upstream's ledger.
 */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Finding, Report } from '../../src/domain/report.ts'
import { isDone, type SwapJob } from '../../src/domain/swap-job.ts'
import { decide, isArrow } from '../../src/domain/transitions.ts'
import { makeSwapJob } from '../support/jobs.ts'

const DEADLINES = { submitBeforeMs: 60_000, onQueueMs: 60_000, unconfirmedMs: 120_000 }
const LEASE_MS = 45_000
const FAILURE = { code: 'OTHER', message: 'm', retryable: false } as const

/** The possible steps. A step that is impossible at the moment does nothing. */
type Step =
  | { readonly kind: 'claim' }
  | { readonly kind: 'send'; readonly reaches: boolean }
  | { readonly kind: 'answer'; readonly as: 'answered' | 'lost' | 'refused' | 'busy' | 'notSent' }
  | { readonly kind: 'upstreamEnds'; readonly as: 'SUCCESS' | 'FAILED' }
  | { readonly kind: 'poll'; readonly source: 'HOOK' | 'FETCH' | 'RECONCILER'; readonly isAnswered: boolean }
  | { readonly kind: 'crash' }
  | { readonly kind: 'sweep' }
  | { readonly kind: 'wait'; readonly ms: number }

const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('claim' as const) }),
  fc.record({ kind: fc.constant('send' as const), reaches: fc.boolean() }),
  fc.record({
    kind: fc.constant('answer' as const),
    as: fc.constantFrom('answered', 'lost', 'refused', 'busy', 'notSent'),
  }),
  fc.record({ kind: fc.constant('upstreamEnds' as const), as: fc.constantFrom('SUCCESS', 'FAILED') }),
  fc.record({
    kind: fc.constant('poll' as const),
    source: fc.constantFrom('HOOK', 'FETCH', 'RECONCILER'),
    isAnswered: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('crash' as const) }),
  fc.record({ kind: fc.constant('sweep' as const) }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, 500, 2_000, 10_000, LEASE_MS, 130_000) }),
)

/** The gateway's row, the submitter in memory, and the upstream's ledger. */
class World {
  now = 1_000_000
  job: SwapJob = makeSwapJob(this.now)
  /** The claim of the running submitter; null after it has reported or died. */
  submitter: { readonly fencing: number; hasSent: boolean; wasAccepted: boolean } | null = null
  /** The upstream's own state of the job; null while it does not have the job. */
  upstream: { status: 'ON_QUEUE' | 'SUCCESS' | 'FAILED' } | null = null
  submitsThatMayCount = 0
  hasReportedSuccess = false

  apply(finding: Finding, source: Report['source'], fencing?: number): void {
    const report: Report = { source, at: this.now, finding, ...(fencing !== undefined && { fencing }) }
    const decision = decide(this.job, report, { deadlines: DEADLINES, random: 0.5, isWatched: false })
    const before = this.job
    if (decision.kind === 'none') return
    const isMove = decision.kind === 'transition'
    this.job = {
      ...before,
      ...decision.patch,
      ...(isMove && { status: decision.to, version: before.version + 1, updatedAt: this.now }),
    }
    if (isMove) must(isArrow(before.status, decision.to), `an arrow from ${before.status} to ${decision.to}`)
  }

  take(step: Step): void {
    switch (step.kind) {
      case 'claim':
        if (this.job.status !== 'PENDING' || this.job.leaseUntil !== null || this.job.notBefore > this.now) return
        this.job = {
          ...this.job,
          fencing: this.job.fencing + 1,
          leaseUntil: this.now + LEASE_MS,
          wakeAt: this.now + LEASE_MS,
        }
        this.submitter = { fencing: this.job.fencing, hasSent: false, wasAccepted: false }
        return
      case 'send':
        if (!this.submitter || this.submitter.hasSent) return
        this.submitter.hasSent = true
        if (!step.reaches) return
        this.submitter.wasAccepted = true
        this.submitsThatMayCount += 1
        this.upstream ??= { status: 'ON_QUEUE' }
        return
      case 'answer':
        return this.answer(step.as)
      case 'upstreamEnds':
        // The real upstream has been observed to change FAILED to SUCCESS.
        if (this.upstream && this.upstream.status !== 'SUCCESS') this.upstream.status = step.as
        return
      case 'poll':
        return this.poll(step.source, step.isAnswered)
      case 'crash':
        this.submitter = null
        return
      case 'sweep':
        return this.sweep()
      case 'wait':
        this.now += step.ms
    }
  }

  /** Answers the submitter truthfully: only a job that was not accepted may be refused. */
  answer(as: Extract<Step, { kind: 'answer' }>['as']): void {
    const submitter = this.submitter
    if (!submitter?.hasSent) return
    const { fencing, wasAccepted } = submitter
    this.submitter = null
    if (as === 'answered' && wasAccepted) this.apply({ kind: 'accepted', upstreamId: 'U1' }, 'SUBMIT', fencing)
    else if (as === 'refused' && !wasAccepted) this.apply({ kind: 'refused', failure: FAILURE }, 'SUBMIT', fencing)
    else if ((as === 'busy' || as === 'notSent') && !wasAccepted) {
      this.apply({ kind: 'released', retryAt: this.now + 1_000 }, 'SUBMIT', fencing)
    } else this.apply({ kind: 'unconfirmed' }, 'SUBMIT', fencing)
  }

  poll(source: 'HOOK' | 'FETCH' | 'RECONCILER', isAnswered: boolean): void {
    // Without an upstream id only a hook can cause a fetch, and the upstream sends hooks only for finished jobs.
    if (this.job.upstreamId === null && (source !== 'HOOK' || !this.upstream || this.upstream.status === 'ON_QUEUE'))
      return
    if (!isAnswered || !this.upstream) return this.apply({ kind: 'unanswered' }, source)
    const about = { upstreamId: 'U1', word: this.upstream.status }
    if (this.upstream.status === 'SUCCESS') {
      if (!isDone(this.job.status)) this.hasReportedSuccess = true
      this.apply(
        {
          kind: 'succeeded',
          ...about,
          links: { cdnImage: 'https://c/1', discordImage: null },
          quota: 3,
          copyId: null,
          mirrorFailure: null,
        },
        source,
      )
    } else if (this.upstream.status === 'FAILED') this.apply({ kind: 'failed', ...about, failure: FAILURE }, source)
    else this.apply({ kind: 'unfinished', ...about }, source)
  }

  sweep(): void {
    const { job } = this
    if (job.wakeAt === null || job.wakeAt > this.now) return
    if (job.status === 'PENDING' && job.leaseUntil !== null)
      this.apply({ kind: 'unconfirmed' }, 'RECONCILER', job.fencing)
    else {
      this.poll('RECONCILER', true)
      this.apply({ kind: 'overdue', isAnswered: true }, 'RECONCILER')
    }
  }
}

const CHARGES = {
  SUCCESS: 'CHARGED',
  FAILED: 'NOT_CHARGED',
  CANCELED: 'NOT_CHARGED',
  LOST: 'UNKNOWN',
  PENDING: 'PENDING',
  UNCONFIRMED: 'PENDING',
  ON_QUEUE: 'PENDING',
} as const

/** A plain check, because it runs millions of times. */
function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}

/** Late evidence may settle the charge of a LOST job; nothing else of a final job changes. */
function isSameButCharge(job: SwapJob, before: SwapJob): boolean {
  if (job === before) return true
  const isSettled = before.status === 'LOST' && before.charge.state === 'UNKNOWN' && job.charge.state !== 'UNKNOWN'
  return isSettled && job.status === before.status && job.version === before.version
}

function isBalanced({ job, upstream }: World): boolean {
  if (job.charge.state === CHARGES[job.status]) return true
  if (job.status !== 'LOST') return false
  return job.charge.state === 'CHARGED' ? upstream?.status === 'SUCCESS' : upstream === null
}

/** Checks the invariants after a step. */
function check(world: World, before: SwapJob): void {
  const { job, upstream } = world
  must(world.submitsThatMayCount <= 1, 'a job is never submitted again after a submit that may have been accepted')
  must(job.version === before.version || job.version === before.version + 1, 'a version increases by one')
  must(!isDone(before.status) || isSameButCharge(job, before), 'a final status never changes')
  must((job.wakeAt === null) === isDone(job.status), 'an unfinished job has a next poll, and a finished job has none')
  must(
    (job.finishedAt === null) === !isDone(job.status),
    'a finished job has an end time, and an unfinished job has none',
  )
  must(!world.hasReportedSuccess || job.status === 'SUCCESS', 'a reported SUCCESS is final')
  must(job.status !== 'SUCCESS' || upstream?.status === 'SUCCESS', 'a SUCCESS was reported')
  must(isBalanced(world), 'the charges add up')
  must(
    job.status !== 'FAILED' || job.submittedAt !== null || upstream === null,
    'a FAILED job without a submit time is unknown to the upstream',
  )
}

test('the state machine keeps its invariants in 10,000 random interleavings', () => {
  const seen = new Map<string, number>()
  const outcome = fc.check(
    fc.property(fc.array(steps, { minLength: 20, maxLength: 60, size: 'max' }), (taken) => {
      const world = new World()
      for (const step of taken) {
        const before = world.job
        world.take(step)
        check(world, before)
      }
      seen.set(world.job.status, (seen.get(world.job.status) ?? 0) + 1)
    }),
    { numRuns: 10_000 },
  )
  process.stdout.write(`seed ${outcome.seed}: ${[...seen].map(([status, count]) => `${status} ${count}`).join(', ')}\n`)
  expect(outcome.failed, fc.defaultReportMessage(outcome)).toBe(false)
  // Every status must occur often enough for the run to mean anything.
  for (const status of ['SUCCESS', 'FAILED', 'LOST', 'UNCONFIRMED', 'ON_QUEUE', 'PENDING']) {
    expect(seen.get(status) ?? 0, status).toBeGreaterThan(20)
  }
})
