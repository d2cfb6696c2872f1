/** Counts business events: a receiver of the events of `events.ts`. No label comes from a caller or the upstream. */
import type { ObservationSource, SwapJob } from '../../domain/swap-job.ts'
import { FINAL_STATUSES, isDone } from '../../domain/swap-job.ts'
import { createTtlCache } from '../../lib/time/ttl-cache.ts'
import { silentTelemetry } from '../combine.ts'
import { CACHES, type Interval, type Telemetry } from '../events.ts'
import type { Instruments } from './instruments.ts'

/** Limits of the remembered first signs of an end, in time and in number; the cache keeps up to twice as many. */
const SIGN_MS = 30 * 60 * 1_000
const MAX_SIGNS = 10_000

const SUBMIT_OUTCOMES: Readonly<Record<string, string>> = { notSent: 'not_sent' }
const LAG_SOURCES = ['HOOK', 'FETCH', 'RECONCILER'] as const satisfies readonly ObservationSource[]
const HOOK_OUTCOMES = ['recorded', 'refused', 'not_recorded', 'not_bound'] as const

/** @param now epoch milliseconds, of the clock that the events' times are from. */
export function countEvents(instruments: Instruments, now: () => number): Telemetry {
  startAtZero(instruments)
  return {
    ...silentTelemetry,
    ...countRequests(instruments),
    ...countJobs(instruments, now),
    ...countDeliveries(instruments),
    backgroundFailed: (task) => instruments.backgroundFailures.inc({ task }),
    databaseQueried: () => instruments.databaseQueries.inc([]),
  }
}

function countRequests({ requests, operations, fastPathAnswers, fastPathFallbacks, cacheReads }: Instruments) {
  return {
    requestAnswered: (route, status) => requests.inc([route, toStatusClass(status)]),
    operationAnswered: ({ transport, type, name, isOk, durationMs }) => {
      operations.observe([transport, type, name, isOk ? 'ok' : 'error'], durationMs / 1_000)
    },
    fastPathAnswered: (from) => fastPathAnswers.inc([from]),
    fastPathFellBack: (reason) => fastPathFallbacks.inc([reason]),
    cacheRead: (cache, hits, misses) => {
      if (hits > 0) cacheReads.inc([cache, 'hit'], hits)
      if (misses > 0) cacheReads.inc([cache, 'miss'], misses)
    },
  } satisfies Partial<Telemetry>
}

function countJobs(instruments: Instruments, now: () => number) {
  const { jobsCreated, transitions, jobDuration, confirmLag, quotaSpent, upstreamResponses } = instruments
  const signs = createTtlCache<number>(SIGN_MS, now, MAX_SIGNS, () => 1)
  /** Remembers the first sign that the upstream has finished the job. */
  const noteSign = (jobId: string, at: number) => {
    if (signs.get(jobId) === undefined) signs.set(jobId, at)
  }
  const addCharge = ({ charge }: SwapJob) => {
    if (charge.state === 'CHARGED' && charge.quota !== null) quotaSpent.inc(charge.quota)
  }
  const observeEnd = (job: SwapJob, source: ObservationSource) => {
    const { id, status, createdAt, finishedAt } = job
    if (finishedAt !== null) jobDuration.observe({ status }, toSeconds({ startedAt: createdAt, endedAt: finishedAt }))
    const sign = signs.get(id)
    const isConfirmed = (status === 'SUCCESS' || status === 'FAILED') && LAG_SOURCES.some((word) => word === source)
    if (sign === undefined || !isConfirmed) return
    confirmLag.observe({ source: source.toLowerCase() }, toSeconds({ startedAt: sign, endedAt: now() }))
  }
  return {
    jobCreated: () => jobsCreated.inc(),
    jobMoved: (job, { source }) => {
      transitions.inc({ to: job.status, source: source.toLowerCase() })
      if (!isDone(job.status)) return
      addCharge(job)
      observeEnd(job, source)
    },
    lateChargeKnown: addCharge,
    evidenceTooLate: () => instruments.lateOutcomes.inc(),
    submitEnded: (_job, { kind, httpStatus }, interval) => {
      instruments.submits.observe({ outcome: SUBMIT_OUTCOMES[kind] ?? kind }, toSeconds(interval))
      upstreamResponses.inc({ call: 'submit', status_class: toStatusClass(httpStatus) })
    },
    fetchEnded: (job, _source, { kind, httpStatus }, interval) => {
      instruments.fetches.observe({ outcome: kind }, toSeconds(interval))
      upstreamResponses.inc({ call: 'fetch', status_class: toStatusClass(httpStatus) })
      if (kind === 'succeeded' || kind === 'failed') noteSign(job.id, interval.startedAt)
    },
    hookRecorded: (jobId, receivedAt) => {
      instruments.hooks.inc({ outcome: 'recorded' })
      noteSign(jobId, receivedAt)
    },
    hookNotBound: () => instruments.hooks.inc({ outcome: 'not_bound' }),
    hookRefused: () => instruments.hooks.inc({ outcome: 'refused' }),
    hookNotRecorded: () => instruments.hooks.inc({ outcome: 'not_recorded' }),
    jobParked: () => instruments.jobsParked.inc(),
  } satisfies Partial<Telemetry>
}

function countDeliveries({ webhookAttempts, webhookLag, images }: Instruments) {
  return {
    webhookAttempted: (webhook, _attempt, state, interval) => {
      webhookAttempts.observe({ outcome: state.toLowerCase() }, toSeconds(interval))
      if (state !== 'DELIVERED') return
      webhookLag.observe(toSeconds({ startedAt: webhook.createdAt, endedAt: interval.endedAt }))
    },
    uploadReceived: ({ status }) => {
      images.inc({ kind: 'upload', outcome: status === 'REJECTED' ? 'rejected' : 'stored' })
    },
    uploadFailed: () => images.inc({ kind: 'upload', outcome: 'failed' }),
    resultCopied: () => images.inc({ kind: 'copy', outcome: 'stored' }),
    mirrorFailed: (_job, { code }) => {
      images.inc({ kind: 'copy', outcome: code === 'NOT_READABLE' ? 'rejected' : 'failed' })
    },
  } satisfies Partial<Telemetry>
}

function startAtZero(instruments: Instruments): void {
  const { fastPathAnswers, cacheReads, hooks, images, upstreamResponses, jobDuration, submits, fetches } = instruments
  for (const from of ['cache', 'compiled']) fastPathAnswers.inc([from], 0)
  for (const cache of CACHES) for (const result of ['hit', 'miss']) cacheReads.inc([cache, result], 0)
  for (const outcome of HOOK_OUTCOMES) hooks.inc({ outcome }, 0)
  for (const kind of ['upload', 'copy']) {
    for (const outcome of ['stored', 'rejected', 'failed']) images.inc({ kind, outcome }, 0)
  }
  for (const call of ['submit', 'fetch']) {
    for (const status of STATUS_CLASSES) upstreamResponses.inc({ call, status_class: status }, 0)
  }
  for (const status of FINAL_STATUSES) jobDuration.zero({ status })
  for (const outcome of ['accepted', 'refused', 'not_sent', 'unknown']) submits.zero({ outcome })
  for (const outcome of ['unfinished', 'succeeded', 'failed', 'nothing']) fetches.zero({ outcome })
  for (const source of LAG_SOURCES) instruments.confirmLag.zero({ source: source.toLowerCase() })
  for (const outcome of ['delivered', 'retrying', 'exhausted']) instruments.webhookAttempts.zero({ outcome })
}

/** By the first digit of a status. */
const CLASSES = ['none', '1xx', '2xx', '3xx', '4xx', '5xx']
const STATUS_CLASSES = ['2xx', '3xx', '4xx', '5xx', 'none']

function toStatusClass(status: number | null): string {
  return (status === null ? undefined : CLASSES[Math.floor(status / 100)]) ?? 'none'
}

/** The wall clock of another process may differ, so a time between two processes may be negative. */
function toSeconds({ startedAt, endedAt }: Interval): number {
  return Math.max(0, endedAt - startedAt) / 1_000
}
