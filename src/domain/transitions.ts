/**
 * The state machine of a job: decides what a report changes. Pure, and the only place that defines the transitions.
 *
 *   (none) → PENDING → (sending) → ON_QUEUE → SUCCESS | FAILED
 *               │          │           └→ LOST
 *               │          └→ UNCONFIRMED → ON_QUEUE | SUCCESS | FAILED | LOST
 *               ├→ CANCELED (by its owner, before it is sent)
 *               └→ FAILED (refused, or not submitted in time)
 *
 * "sending" is PENDING under a lease. SUCCESS, FAILED, CANCELED and LOST are final: a report about a finished job
 * changes nothing, except that the unknown charge of a LOST one may become known. A late or repeated report is a no-op,
 * not an error.
 */
import { CONFIRM_FAILED_AFTER_MS, nextFetchDelayMs } from './poll-schedule.ts'
import type { Report } from './report.ts'
import { isDone, type SwapFailure, type SwapJob, type SwapJobStatus } from './swap-job.ts'

const ARROWS: Readonly<Record<SwapJobStatus, readonly SwapJobStatus[]>> = {
  PENDING: ['UNCONFIRMED', 'ON_QUEUE', 'SUCCESS', 'FAILED', 'CANCELED'],
  UNCONFIRMED: ['ON_QUEUE', 'SUCCESS', 'FAILED', 'LOST'],
  ON_QUEUE: ['SUCCESS', 'FAILED', 'LOST'],
  SUCCESS: [],
  FAILED: [],
  CANCELED: [],
  LOST: [],
}

/** Whether the state machine has a transition between the two. */
export function isArrow(from: SwapJobStatus, to: SwapJobStatus): boolean {
  return ARROWS[from].includes(to)
}

/** The deadlines of the state machine, in milliseconds. */
export interface Deadlines {
  readonly submitBeforeMs: number
  readonly onQueueMs: number
  readonly unconfirmedMs: number
}

type Patch = Partial<
  Pick<
    SwapJob,
    | 'upstreamId'
    | 'upstreamStatus'
    | 'links'
    | 'failure'
    | 'upstreamMessage'
    | 'charge'
    | 'submittedAt'
    | 'finishedAt'
    | 'leaseUntil'
    | 'notBefore'
    | 'fetches'
    | 'wakeAt'
    | 'deadlineAt'
    | 'failedSeenAt'
    | 'copyId'
    | 'mirrorFailure'
    | 'purgeAt'
  >
>

/** Changes without a new version and without an event. */
export type Bookkeeping = Partial<
  Pick<
    SwapJob,
    | 'upstreamStatus'
    | 'leaseUntil'
    | 'notBefore'
    | 'refusalReason'
    | 'refusalMessage'
    | 'fetches'
    | 'wakeAt'
    | 'failedSeenAt'
    | 'charge'
  >
>

/** The effect of a report on a job. */
export type Decision =
  /** The job moves to `to`: a new version, a timeline entry, `patch`. */
  | { readonly kind: 'transition'; readonly to: SwapJobStatus; readonly patch: Patch }
  /** The status stays; only the job's bookkeeping changes. */
  | { readonly kind: 'bookkeeping'; readonly patch: Bookkeeping }
  /** Nothing changes. */
  | { readonly kind: 'none' }

const NOTHING: Decision = { kind: 'none' }

/** What a decision depends on besides the job and the report. */
export interface Circumstances {
  readonly deadlines: Deadlines
  /** In [0, 1): jitter of the next scheduled poll. */
  readonly random: number
  /** Whether a caller is watching the job; its next poll is then sooner. */
  readonly isWatched: boolean
}

/** Decides what `report` does to `job`. Longer than 80 lines: one exhaustive switch, a case for each kind of finding. */
export function decide(job: SwapJob, report: Report, circumstances: Circumstances): Decision {
  if (isDone(job.status)) return settleCharge(job, report)
  const { finding, at } = report
  const { deadlines } = circumstances
  switch (finding.kind) {
    case 'accepted':
      return job.status === 'ON_QUEUE' ? NOTHING : enqueue(job, finding.upstreamId, null, at, circumstances)

    case 'refused':
      return isOwnClaim(job, report) || isLateResponse(job, report)
        ? finish(job, 'FAILED', at, { ...describeFailure(finding), charge: NOT_CHARGED })
        : NOTHING

    case 'released': {
      // A retry is no longer possible: the job is already treated as sent.
      if (isLateResponse(job, report)) return finish(job, 'FAILED', at, { failure: REFUSED_LATE, charge: NOT_CHARGED })
      if (!isOwnClaim(job, report)) return NOTHING
      const { retryAt, refusal } = finding
      if (retryAt >= job.createdAt + deadlines.submitBeforeMs) {
        const failure = notSubmitted(refusal?.message ?? job.refusalMessage)
        return finish(job, 'FAILED', at, { failure, charge: NOT_CHARGED })
      }
      return bookkeep({
        leaseUntil: null,
        notBefore: retryAt,
        wakeAt: retryAt,
        ...(refusal && { refusalReason: refusal.reason, refusalMessage: refusal.message }),
      })
    }

    case 'unconfirmed': {
      if (!isOwnClaim(job, report)) return NOTHING
      const deadlineAt = at + deadlines.unconfirmedMs
      return { kind: 'transition', to: 'UNCONFIRMED', patch: { leaseUntil: null, deadlineAt, wakeAt: deadlineAt } }
    }

    case 'unfinished': {
      if (job.status !== 'ON_QUEUE') return enqueue(job, finding.upstreamId, finding.word, at, circumstances)
      return bookkeep({
        ...scheduleNext(job, report, circumstances),
        ...(finding.word !== job.upstreamStatus && { upstreamStatus: finding.word }),
        // Contradicts an earlier FAILED that no second fetch has confirmed.
        ...(job.failedSeenAt !== null && { failedSeenAt: null }),
      })
    }

    case 'unanswered':
      return job.status === 'ON_QUEUE' ? bookkeep(scheduleNext(job, report, circumstances)) : NOTHING

    case 'succeeded':
      return finish(job, 'SUCCESS', at, {
        copyId: finding.copyId,
        mirrorFailure: finding.mirrorFailure,
        upstreamId: finding.upstreamId,
        upstreamStatus: finding.word,
        submittedAt: job.submittedAt ?? at,
        links: finding.links,
        charge: { state: 'CHARGED', quota: finding.quota },
      })

    case 'failed': {
      // A first FAILED does not bind an id that only a hook named: the hook is followed to the second fetch.
      if (job.failedSeenAt === null) {
        return bookkeep({
          failedSeenAt: at,
          ...(job.status === 'ON_QUEUE' && { wakeAt: at + CONFIRM_FAILED_AFTER_MS }),
        })
      }
      const confirmableAt = job.failedSeenAt + CONFIRM_FAILED_AFTER_MS
      if (at < confirmableAt) return job.status === 'ON_QUEUE' ? bookkeep({ wakeAt: confirmableAt }) : NOTHING
      return finish(job, 'FAILED', at, {
        upstreamId: finding.upstreamId,
        upstreamStatus: finding.word,
        submittedAt: job.submittedAt ?? at,
        ...describeFailure(finding),
        charge: NOT_CHARGED,
      })
    }

    case 'canceled':
      // The upstream may already have accepted a job under a lease.
      return job.status === 'PENDING' && job.leaseUntil === null
        ? finish(job, 'CANCELED', at, { failure: CANCELED, charge: NOT_CHARGED })
        : NOTHING

    case 'overdue':
      if (job.status === 'PENDING') {
        return job.leaseUntil === null && at >= job.createdAt + deadlines.submitBeforeMs
          ? finish(job, 'FAILED', at, { failure: notSubmitted(job.refusalMessage), charge: NOT_CHARGED })
          : NOTHING
      }
      return job.deadlineAt !== null && at >= job.deadlineAt + (finding.isAnswered ? 0 : DEADLINE_GRACE_MS)
        ? finish(job, 'LOST', at, { failure: NO_OUTCOME, charge: { state: 'UNKNOWN', quota: null } })
        : NOTHING
  }
}

/** Extra time after the deadline if the upstream did not respond to the last poll. */
const DEADLINE_GRACE_MS = 600_000

const NOT_CHARGED = { state: 'NOT_CHARGED', quota: null } as const

/** @param refusal why the last submit was refused; null if none was tried. */
function notSubmitted(refusal: string | null): SwapFailure {
  const why = refusal === null ? '' : ` ${refusal}`
  const message = `The swap could not be submitted before its deadline.${why} Nothing was charged.`
  return { code: 'NOT_SUBMITTED', message, retryable: true }
}

const CANCELED = {
  code: 'CANCELED',
  message: 'Canceled by the caller. Nothing was submitted or charged.',
  retryable: true,
} as const

const NO_OUTCOME = {
  code: 'NO_OUTCOME',
  message: 'No outcome arrived before the deadline. It is unknown whether the upstream charged.',
  retryable: true,
} as const

export const NOT_RECORDED_IN_TIME = {
  code: 'NOT_SUBMITTED',
  message: 'The gateway could not record the swap in time. Nothing was submitted or charged.',
  retryable: true,
} as const

const REFUSED_LATE = {
  code: 'UPSTREAM_REFUSED',
  message: 'The upstream did not accept the swap before its deadline. Nothing was charged.',
  retryable: true,
} as const

/** A LOST job stays LOST; later evidence can only settle its charge. */
function settleCharge(job: SwapJob, report: Report): Decision {
  if (job.status !== 'LOST' || job.charge.state !== 'UNKNOWN') return NOTHING
  const { finding } = report
  if (finding.kind === 'succeeded') return bookkeep({ charge: { state: 'CHARGED', quota: finding.quota } })
  const isRefusal = finding.kind === 'refused' || finding.kind === 'released'
  return isRefusal && report.fencing === job.fencing ? bookkeep({ charge: NOT_CHARGED }) : NOTHING
}

/** Whether the report is the response to the job's last submit, received after the job became UNCONFIRMED. */
function isLateResponse(job: SwapJob, report: Report): boolean {
  return job.status === 'UNCONFIRMED' && report.source === 'SUBMIT' && report.fencing === job.fencing
}

/** Whether the report is about the job's current claim, and that claim is still submitting. */
function isOwnClaim(job: SwapJob, report: Report): boolean {
  return job.status === 'PENDING' && job.leaseUntil !== null && report.fencing === job.fencing
}

function enqueue(
  job: SwapJob,
  upstreamId: string,
  word: string | null,
  at: number,
  { deadlines, random, isWatched }: Circumstances,
): Extract<Decision, { kind: 'transition' }> {
  const deadlineAt = at + deadlines.onQueueMs
  return {
    kind: 'transition',
    to: 'ON_QUEUE',
    patch: {
      upstreamId,
      upstreamStatus: word,
      submittedAt: job.submittedAt ?? at,
      leaseUntil: null,
      fetches: 0,
      deadlineAt,
      wakeAt: nextWakeAt(deadlineAt, at + nextFetchDelayMs(0, random, isWatched)),
    },
  }
}

function describeFailure({
  failure,
  upstreamMessage = null,
}: Extract<Report['finding'], { readonly kind: 'refused' | 'failed' }>): Pick<SwapJob, 'failure' | 'upstreamMessage'> {
  return { failure, upstreamMessage }
}

function finish(job: SwapJob, to: SwapJobStatus, at: number, patch: Patch): Decision {
  const closed = {
    purgeAt: at + retentionMs(job.keepDays),
    finishedAt: at,
    leaseUntil: null,
    wakeAt: null,
    deadlineAt: null,
    failedSeenAt: null,
  }
  return { kind: 'transition', to, patch: Object.assign({}, patch, closed) }
}

const HOUR_MS = 60 * 60 * 1_000

/** Retention of images and links after the end: at least an hour, so that callers can fetch the result. */
function retentionMs(keepDays: number): number {
  return Math.max(HOUR_MS, keepDays * 24 * HOUR_MS)
}

function bookkeep(patch: Bookkeeping): Decision {
  return Object.keys(patch).length === 0 ? NOTHING : { kind: 'bookkeeping', patch }
}

/** Only scheduled fetches advance the schedule: otherwise frequent queries would delay the next poll. */
function scheduleNext(job: SwapJob, report: Report, { random, isWatched }: Circumstances): Bookkeeping {
  if (report.source !== 'RECONCILER') return {}
  const fetches = job.fetches + 1
  return { fetches, wakeAt: nextWakeAt(job.deadlineAt, report.at + nextFetchDelayMs(fetches, random, isWatched)) }
}

function nextWakeAt(deadlineAt: number | null, fetchAt: number): number {
  return deadlineAt === null ? fetchAt : Math.min(fetchAt, deadlineAt)
}
