/**
 * Confirming: the one caller of the upstream's fetch, and so the only road by which an outcome is believed. Hook,
 * query and reconciler all come through here, and share: one fetch in the air for a job, however many ask, and at
 * least a second between two; all jobs together keep to a rate, and to nothing while the upstream is down.
 */
import type { Clock } from '../lib/clock.ts'
import { faultPoint } from '../lib/fault-points.ts'
import type { Pacer } from '../lib/pacer.ts'
import { createShortMemory } from '../lib/short-memory.ts'
import type { Finding, Report } from '../domain/report.ts'
import { isDone, type SwapJob } from '../domain/swap-job.ts'
import type { JobStore } from '../store/job-store.ts'
import type { Telemetry } from '../telemetry/events.ts'
import type { Echo, FetchOutcome, Upstream } from '../upstream/upstream.ts'
import type { ApplyReport } from './apply-report.ts'
import type { CopyOutcome, Mirror } from './mirror-result.ts'
import type { UpstreamBreaker } from './upstream-breaker.ts'

/** The least time between two fetches of one job. */
const FETCH_SPACING_MS = 1_000

export interface ConfirmerParts {
  readonly store: Pick<JobStore, 'findJob' | 'findByUpstreamId'>
  readonly upstream: Pick<Upstream, 'fetch'>
  readonly applyReport: ApplyReport
  readonly breaker: UpstreamBreaker
  readonly mirror: Pick<Mirror, 'copySoon'>
  /** Turns to fetch, for all jobs together. */
  readonly pacer: Pacer
  readonly telemetry: Pick<Telemetry, 'fetchUnanswered' | 'hookNotBound'>
  readonly clock: Clock
}

/** What came of confirming. */
export interface Confirmed {
  /** As it then is. */
  readonly job: SwapJob
  /** Whether the upstream made a statement about it. */
  readonly isAnswered: boolean
  /** Whether the id that a hook brought is another job's. */
  readonly isForeign: boolean
}

export interface Confirmer {
  /**
   * For whoever asks now: joins a fetch in the air or starts one; the job as given when it is done, not yet upstream,
   * was fetched less than a second ago, or when no fetch is free just now.
   */
  refresh(job: SwapJob): Promise<SwapJob>
  /**
   * For whoever has a reason to believe that there is news: fetches when it is the job's turn, once for all who call
   * meanwhile; not at all while the upstream is down.
   * @param hintedId the id that a hook brought; used only while the job has none of its own, and believed only when
   * the fetched document is bound to this job.
   */
  confirm(job: SwapJob, source: 'HOOK' | 'RECONCILER', hintedId?: string | null): Promise<Confirmed>
}

export function createConfirmer(parts: ConfirmerParts): Confirmer {
  const { store, upstream, applyReport, breaker, pacer, mirror, telemetry, clock } = parts
  /** Fetches in the air, confirmations that wait for their turn, and when each job was fetched last; by job id. */
  const flights = new Map<string, Promise<Confirmed>>()
  const waiting = new Map<string, Promise<Confirmed>>()
  const lastFetchAt = createShortMemory<number>(FETCH_SPACING_MS, () => clock.now())

  const spacingLeftMs = (jobId: string) => {
    const last = lastFetchAt.get(jobId)
    return last === undefined ? 0 : Math.max(0, last + FETCH_SPACING_MS - clock.now())
  }

  const fetchAndApply = async (job: SwapJob, upstreamId: string, source: Report['source']): Promise<Confirmed> => {
    const outcome = await upstream.fetch(upstreamId)
    faultPoint('fetch-answered')
    if (outcome.kind === 'nothing') {
      telemetry.fetchUnanswered(job, outcome.reason)
      if (outcome.isDown) breaker.failed()
      else breaker.succeeded()
    } else breaker.succeeded()

    if (job.upstreamId === null) {
      // A job that is not finished gives no hook: what its fetch says is no outcome yet, and binds nothing.
      if (outcome.kind === 'nothing' || outcome.kind === 'unfinished')
        return { ...unanswered(job), isAnswered: outcome.kind === 'unfinished' }
      if (!(await isBound(store, job, outcome))) {
        telemetry.hookNotBound(job)
        return { job, isAnswered: true, isForeign: true }
      }
    }
    const copy = outcome.kind === 'succeeded' ? await mirror.copySoon(job, outcome.links) : null
    const finding = toFinding(outcome, copy)
    const written = await applyReport(job, { source, at: clock.now(), finding })
    return { job: written, isAnswered: outcome.kind !== 'nothing', isForeign: false }
  }

  /** The breaker has let it through. */
  const fly = (job: SwapJob, upstreamId: string, source: Report['source']): Promise<Confirmed> => {
    lastFetchAt.set(job.id, clock.now())
    const flight = fetchAndApply(job, upstreamId, source).finally(() => flights.delete(job.id))
    flights.set(job.id, flight)
    return flight
  }

  const waitAndFly = async (job: SwapJob, source: Report['source'], hintedId: string | null): Promise<Confirmed> => {
    let current: SwapJob | null = job
    try {
      do {
        // What is in the air began before the news; its failure is its own callers' to hear.
        await flights.get(job.id)?.catch(() => null)
        const spacingMs = spacingLeftMs(job.id)
        if (spacingMs > 0) await clock.delay(spacingMs)
        await pacer.take()
        current = await store.findJob(job.id)
      } while (flights.has(job.id) || spacingLeftMs(job.id) > 0)
    } finally {
      waiting.delete(job.id)
    }
    const upstreamId = current?.upstreamId ?? hintedId
    if (!current || isDone(current.status) || upstreamId === null || !breaker.tryPass()) {
      return unanswered(current ?? job)
    }
    return fly(current, upstreamId, source)
  }

  return {
    refresh: async (job) => {
      if (isDone(job.status) || job.upstreamId === null) return job
      const flight = flights.get(job.id)
      if (flight) return (await flight).job
      if (spacingLeftMs(job.id) > 0 || breaker.isOpen() || !(await pacer.tryTake())) return job
      // Somebody else may have asked meanwhile.
      const other = flights.get(job.id)
      if (other) return (await other).job
      if (spacingLeftMs(job.id) > 0 || !breaker.tryPass()) return job
      return (await fly(job, job.upstreamId, 'FETCH')).job
    },

    confirm: async (job, source, hintedId = null) => {
      if (isDone(job.status) || (job.upstreamId ?? hintedId) === null) return unanswered(job)
      const turn = waiting.get(job.id) ?? waitAndFly(job, source, hintedId)
      waiting.set(job.id, turn)
      return turn
    },
  }
}

function unanswered(job: SwapJob): Confirmed {
  return { job, isAnswered: false, isForeign: false }
}

/**
 * Whether a fetched document is about this job, whose id only a hook has named: everything the upstream says it was
 * sent must equal, byte for byte, what we sent, and no other job may have the id.
 */
async function isBound(
  store: Pick<JobStore, 'findByUpstreamId'>,
  job: SwapJob,
  outcome: Extract<FetchOutcome, { readonly echo: Echo }>,
): Promise<boolean> {
  if (!matches(job, outcome.echo)) return false
  const holder = await store.findByUpstreamId(outcome.upstreamId)
  return holder === null || holder.id === job.id
}

function matches(job: SwapJob, echo: Echo): boolean {
  return (
    (echo.hookUrl ?? job.hookAddress) === job.hookAddress &&
    (echo.targetImage ?? job.targetImageUrl) === job.targetImageUrl &&
    (echo.swapImage ?? job.swapImageUrl) === job.swapImageUrl
  )
}

function toFinding(outcome: FetchOutcome, copy: CopyOutcome | null): Finding {
  switch (outcome.kind) {
    case 'unfinished':
      return { kind: 'unfinished', upstreamId: outcome.upstreamId, word: outcome.word }
    case 'succeeded': {
      const { upstreamId, word, links, quota } = outcome
      const { copyId = null, mirrorFailure = null } = copy ?? {}
      return { kind: 'succeeded', upstreamId, word, links, quota, copyId, mirrorFailure }
    }
    case 'failed':
      return { kind: 'failed', upstreamId: outcome.upstreamId, word: outcome.word, failure: outcome.failure }
    case 'nothing':
      return { kind: 'unanswered' }
  }
}
