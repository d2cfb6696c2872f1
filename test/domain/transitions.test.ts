import { describe, expect, test } from 'vitest'
import { CONFIRM_FAILED_AFTER_MS, nextFetchDelayMs } from '../../src/domain/poll-schedule.ts'
import type { Finding, Report } from '../../src/domain/report.ts'
import {
  isDone,
  OBSERVATION_SOURCES,
  SWAP_JOB_STATUSES,
  type SwapJob,
  type SwapJobStatus,
} from '../../src/domain/swap-job.ts'
import { decide, isArrow } from '../../src/domain/transitions.ts'
import { makeSwapJob } from '../support/jobs.ts'

const NOW = 1_000_000
const DEADLINES = { submitBeforeMs: 900_000, onQueueMs: 900_000, unconfirmedMs: 1_800_000 }
const FAILURE = { code: 'OTHER', message: 'm', retryable: false } as const

function makeJob(status: SwapJobStatus, over: Partial<SwapJob> = {}): SwapJob {
  const isUpstream = status === 'ON_QUEUE' || status === 'SUCCESS' || status === 'FAILED'
  return makeSwapJob(NOW, {
    status,
    version: 3,
    upstreamId: isUpstream ? 'U1' : null,
    createdAt: NOW - 1_000,
    updatedAt: NOW - 1_000,
    fencing: 1,
    notBefore: 0,
    deadlineAt: isUpstream || status === 'UNCONFIRMED' ? NOW + 900_000 : null,
    ...over,
  })
}

const sending = (over: Partial<SwapJob> = {}) => makeJob('PENDING', { leaseUntil: NOW + 45_000, ...over })

const FINDINGS: readonly Finding[] = [
  { kind: 'accepted', upstreamId: 'U1' },
  { kind: 'refused', failure: FAILURE },
  { kind: 'released', retryAt: NOW + 1_000 },
  { kind: 'unconfirmed' },
  { kind: 'unfinished', upstreamId: 'U1', word: 'ON_QUEUE' },
  {
    kind: 'succeeded',
    upstreamId: 'U1',
    word: 'SUCCESS',
    links: { cdnImage: 'https://c/1', discordImage: null },
    quota: 3,
    copyId: null,
    mirrorFailure: null,
  },
  { kind: 'failed', upstreamId: 'U1', word: 'FAILED', failure: FAILURE },
  { kind: 'unanswered' },
  { kind: 'overdue', isAnswered: true },
  { kind: 'overdue', isAnswered: false },
]

const report = (finding: Finding, over: Partial<Report> = {}): Report => ({
  source: 'RECONCILER',
  at: NOW,
  fencing: 1,
  finding,
  ...over,
})
const find = (kind: Finding['kind']): Finding => {
  const finding = FINDINGS.find((candidate) => candidate.kind === kind)
  if (!finding) throw new TypeError(kind)
  return finding
}
const decideNow = (job: SwapJob, finding: Finding, over: Partial<Report> = {}) =>
  decide(job, report(finding, over), { deadlines: DEADLINES, random: 0.5, isWatched: false })

/** A job in each status, with and without a lease, before and after its deadline. */
const JOBS = SWAP_JOB_STATUSES.flatMap((status) => [
  makeJob(status),
  makeJob(status, { leaseUntil: NOW + 1 }),
  makeJob(status, { deadlineAt: NOW - 1, createdAt: 0, failedSeenAt: NOW - CONFIRM_FAILED_AFTER_MS }),
])

describe('any report about any job', () => {
  const all = JOBS.flatMap((job) =>
    FINDINGS.flatMap((finding) => OBSERVATION_SOURCES.map((source) => ({ job, finding, source }))),
  )

  test.each(['transition', 'bookkeeping', 'none'])('can result in each kind of decision (%s)', (kind) => {
    expect(all.some(({ job, finding, source }) => decideNow(job, finding, { source }).kind === kind)).toBe(true)
  })

  test('never changes a final status, and settles only the unknown charge of a LOST job', () => {
    for (const { job, finding, source } of all.filter(({ job: { status } }) => isDone(status))) {
      const decision = decideNow({ ...job, charge: { state: 'UNKNOWN', quota: null } }, finding, { source })
      if (job.status === 'LOST' && decision.kind === 'bookkeeping')
        expect(Object.keys(decision.patch)).toEqual(['charge'])
      else expect(decision).toEqual({ kind: 'none' })
      expect(decideNow({ ...job, charge: { state: 'CHARGED', quota: 3 } }, finding, { source }).kind).toBe('none')
    }
  })

  test('causes only transitions of the table', () => {
    const taken = all.flatMap(({ job, finding, source }) => {
      const decision = decideNow(job, finding, { source })
      return decision.kind === 'transition' ? [[job.status, decision.to] as const] : []
    })
    expect(taken.filter(([from, to]) => !isArrow(from, to))).toEqual([])
    expect(new Set(taken.map((arrow) => arrow.join(' → '))).size).toBeGreaterThan(8)
  })

  test('leaves an unfinished job with a next wake time, and a finished one without', () => {
    for (const { job, finding, source } of all) {
      const decision = decideNow(job, finding, { source })
      if (decision.kind !== 'transition') continue
      if (isDone(decision.to)) expect(decision.patch).toMatchObject({ wakeAt: null, leaseUntil: null, finishedAt: NOW })
      else expect(decision.patch.wakeAt).toBeGreaterThanOrEqual(NOW)
    }
  })

  test('sets links only with SUCCESS, and a failure only with FAILED or LOST', () => {
    for (const { job, finding, source } of all) {
      const decision = decideNow(job, finding, { source })
      if (decision.kind !== 'transition') continue
      expect(Boolean(decision.patch.links)).toBe(decision.to === 'SUCCESS')
      expect(Boolean(decision.patch.failure)).toBe(decision.to === 'FAILED' || decision.to === 'LOST')
    }
  })
})

describe('a submit', () => {
  test('that was accepted puts the job ON_QUEUE with a deadline', () => {
    expect(decideNow(sending(), find('accepted'))).toMatchObject({
      kind: 'transition',
      to: 'ON_QUEUE',
      patch: { upstreamId: 'U1', submittedAt: NOW, leaseUntil: null, deadlineAt: NOW + 900_000, wakeAt: NOW + 2_000 },
    })
  })

  test('whose response arrives when the job is UNCONFIRMED still counts', () => {
    expect(decideNow(makeJob('UNCONFIRMED'), find('accepted'))).toMatchObject({ to: 'ON_QUEUE' })
  })

  test('that was refused fails the job without a charge', () => {
    expect(decideNow(sending(), find('refused'))).toMatchObject({
      to: 'FAILED',
      patch: { charge: { state: 'NOT_CHARGED', quota: null }, failure: FAILURE },
    })
  })

  test('that was definitely not accepted lets the job wait for its next attempt', () => {
    expect(decideNow(sending(), find('released'))).toEqual({
      kind: 'bookkeeping',
      patch: { leaseUntil: null, notBefore: NOW + 1_000, wakeAt: NOW + 1_000 },
    })
  })

  test.each(['refused', 'released'] as const)(
    'that was definitely not accepted fails an UNCONFIRMED job (%s)',
    (kind) => {
      expect(decideNow(makeJob('UNCONFIRMED'), find(kind), { source: 'SUBMIT' })).toMatchObject({
        to: 'FAILED',
        patch: { charge: { state: 'NOT_CHARGED', quota: null } },
      })
      expect(decideNow(makeJob('UNCONFIRMED'), find(kind), { source: 'SUBMIT', fencing: 2 }).kind).toBe('none')
    },
  )

  test.each(['refused', 'released'] as const)(
    'that was definitely not accepted settles the charge of a LOST job (%s)',
    (kind) => {
      const lost = makeJob('LOST', { charge: { state: 'UNKNOWN', quota: null } })
      expect(decideNow(lost, find(kind), { source: 'SUBMIT' })).toEqual({
        kind: 'bookkeeping',
        patch: { charge: { state: 'NOT_CHARGED', quota: null } },
      })
    },
  )

  test('whose next attempt would come too late fails the job as not submitted', () => {
    const old = sending({ createdAt: NOW - DEADLINES.submitBeforeMs + 1_000 })
    expect(decideNow(old, find('released'))).toMatchObject({
      to: 'FAILED',
      patch: { failure: { code: 'NOT_SUBMITTED' } },
    })
  })

  test.each(['refused', 'released', 'unconfirmed'] as const)('of an older claim is void (%s)', (kind) => {
    expect(decideNow(sending({ fencing: 2 }), find(kind))).toEqual({ kind: 'none' })
  })
})

describe('a FAILED', () => {
  test('is recorded at first, and confirmed by a fetch two seconds later', () => {
    expect(decideNow(makeJob('ON_QUEUE'), find('failed'))).toEqual({
      kind: 'bookkeeping',
      patch: { failedSeenAt: NOW, wakeAt: NOW + CONFIRM_FAILED_AFTER_MS },
    })
  })

  test('is not confirmed by a repetition within two seconds', () => {
    const doubted = makeJob('ON_QUEUE', { failedSeenAt: NOW - 1_999 })
    expect(decideNow(doubted, find('failed'))).toEqual({ kind: 'bookkeeping', patch: { wakeAt: NOW + 1 } })
  })

  test('is final if a second fetch repeats it', () => {
    const doubted = makeJob('ON_QUEUE', { failedSeenAt: NOW - 2_000 })
    expect(decideNow(doubted, find('failed'))).toMatchObject({ to: 'FAILED', patch: { failure: FAILURE } })
  })

  test('is dropped if a second fetch returns anything else', () => {
    const doubted = makeJob('ON_QUEUE', { failedSeenAt: NOW - 2_000 })
    expect(decideNow(doubted, find('unfinished'))).toMatchObject({ kind: 'bookkeeping', patch: { failedSeenAt: null } })
  })

  test('needs a second fetch also if only a hook named the id of the job', () => {
    // The timeline of such a job has no ON_QUEUE.
    expect(decideNow(makeJob('UNCONFIRMED'), find('failed'), { source: 'HOOK' })).toEqual({
      kind: 'bookkeeping',
      patch: { failedSeenAt: NOW },
    })
    const doubted = makeJob('UNCONFIRMED', { failedSeenAt: NOW - 2_000 })
    expect(decideNow(doubted, find('failed'), { source: 'HOOK' })).toMatchObject({
      to: 'FAILED',
      patch: { upstreamId: 'U1', charge: { state: 'NOT_CHARGED', quota: null } },
    })
  })
})

describe('the schedule', () => {
  test('advances with a scheduled fetch, and not with a query', () => {
    const job = makeJob('ON_QUEUE', { fetches: 4, upstreamStatus: 'ON_QUEUE' })
    expect(decideNow(job, find('unfinished'))).toMatchObject({ patch: { fetches: 5, wakeAt: NOW + 21_000 } })
    expect(decideNow(job, find('unfinished'), { source: 'FETCH' })).toEqual({ kind: 'none' })
  })

  test('never sets the next poll after the deadline', () => {
    const job = makeJob('ON_QUEUE', { fetches: 11, deadlineAt: NOW + 5_000 })
    expect(decideNow(job, find('unanswered'))).toMatchObject({ patch: { wakeAt: NOW + 5_000 } })
  })

  test('grows from 2 s to 5 min, within ±10 %', () => {
    expect(Array.from({ length: 13 }, (_unused, n) => nextFetchDelayMs(n, 0.5, false) / 1_000)).toEqual([
      2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 300, 300,
    ])
    expect([nextFetchDelayMs(0, 0, false), nextFetchDelayMs(0, 1, false)]).toEqual([1_800, 2_200])
  })
})

test('a watched job is polled at least every ten seconds', () => {
  const delays = Array.from({ length: 12 }, (_unused, n) => nextFetchDelayMs(n, 0.5, true) / 1_000)
  expect(delays).toEqual([2, 3, 5, 8, 10, 10, 10, 10, 10, 10, 10, 10])
})

describe('a deadline', () => {
  test.each(['ON_QUEUE', 'UNCONFIRMED'] as const)(
    'that has passed makes a job LOST, with an unknown charge (%s)',
    (status) => {
      expect(decideNow(makeJob(status, { deadlineAt: NOW }), find('overdue'))).toMatchObject({
        to: 'LOST',
        patch: { charge: { state: 'UNKNOWN', quota: null }, failure: { code: 'NO_OUTCOME' } },
      })
    },
  )

  test.each(['ON_QUEUE', 'UNCONFIRMED'] as const)('that has not expired changes nothing (%s)', (status) => {
    expect(decideNow(makeJob(status, { deadlineAt: NOW + 1 }), find('overdue'))).toEqual({ kind: 'none' })
  })

  test.each(['ON_QUEUE', 'UNCONFIRMED'] as const)(
    'is extended by ten minutes if the last poll got no response (%s)',
    (status) => {
      const late = (ms: number) => makeJob(status, { deadlineAt: NOW - ms })
      const unanswered: Finding = { kind: 'overdue', isAnswered: false }
      expect(decideNow(late(599_999), unanswered)).toEqual({ kind: 'none' })
      expect(decideNow(late(600_000), unanswered)).toMatchObject({ to: 'LOST' })
    },
  )

  test('of a job that was never sent fails it as not submitted, but not while it is being submitted', () => {
    const old = { createdAt: NOW - DEADLINES.submitBeforeMs }
    expect(decideNow(makeJob('PENDING', old), find('overdue'))).toMatchObject({ to: 'FAILED' })
    expect(decideNow(sending(old), find('overdue'))).toEqual({ kind: 'none' })
  })
})

const BUSY = { reason: 'UPSTREAM_BUSY', message: 'The upstream is busy.' } as const
const circumstances = { deadlines: DEADLINES, random: 0.5, isWatched: false }

test('a refusal that is retried is recorded with the job; a release without a submit keeps the earlier one', () => {
  const released = (over: object) =>
    decide(sending(), report({ kind: 'released', retryAt: NOW + 1_000, ...over }), circumstances)
  expect(released({ refusal: BUSY })).toMatchObject({
    kind: 'bookkeeping',
    patch: { refusalReason: BUSY.reason, refusalMessage: BUSY.message },
  })
  expect(Object.keys(released({}))).not.toContain('refusalReason')
})

test.each<[string, SwapJob, Finding]>([
  [
    'the last refusal comes too late for another submit',
    sending(),
    { kind: 'released', retryAt: NOW + 900_000, refusal: BUSY },
  ],
  [
    'its deadline passes between two submits',
    makeJob('PENDING', { createdAt: NOW - 900_000, refusalReason: BUSY.reason, refusalMessage: BUSY.message }),
    { kind: 'overdue', isAnswered: true },
  ],
])(
  'a job that was refused until its deadline fails with the last refusal in its message if %s',
  (_what, job, finding) => {
    expect(decide(job, report(finding), circumstances)).toMatchObject({
      to: 'FAILED',
      patch: {
        failure: {
          code: 'NOT_SUBMITTED',
          message: 'The swap could not be submitted before its deadline. The upstream is busy. Nothing was charged.',
        },
      },
    })
  },
)

test.each<[string, Finding]>([
  ['a refused submit', { kind: 'refused', failure: FAILURE, upstreamMessage: 'no face' }],
  ['a failed swap', { kind: 'failed', upstreamId: 'U1', word: 'FAILED', failure: FAILURE, upstreamMessage: 'no face' }],
])("the upstream's own words about %s are recorded apart from the failure", (_what, finding) => {
  const job = sending({ failedSeenAt: NOW - CONFIRM_FAILED_AFTER_MS })
  expect(decide(job, report(finding), circumstances)).toMatchObject({
    patch: { failure: FAILURE, upstreamMessage: 'no face' },
  })
})
