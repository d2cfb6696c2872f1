/**
 * The only caller of the upstream's fetch, for queries, polls and hooks. Polls and queries of one job share a fetch and
 * leave a second between two. A hook's fetch starts at once, at most one per second for each job (`HookQueue`). All
 * fetches share a rate limit, and none is sent while the circuit breaker is open.
 */
import type { Clock } from '../../lib/time/clock.ts'
import { faultPoint } from '../../lib/fault-points.ts'
import type { RateLimiter } from '../../lib/time/rate-limiter.ts'
import { createTtlCache, type TtlCache } from '../../lib/time/ttl-cache.ts'
import type { Finding, Report } from '../../domain/report.ts'
import { isDone, isSettled, type SwapJob } from '../../domain/swap-job.ts'
import type { JobStore } from '../../store/job-store.ts'
import type { Telemetry, UpstreamCallOutcome } from '../../telemetry/events.ts'
import type { Echo, FetchOutcome, Upstream } from '../../upstream/upstream.ts'
import type { ApplyReport } from './apply-report.ts'
import type { Confirmed } from './confirmed.ts'
import { HookQueue } from './hook-queue.ts'
import type { CopyOutcome, Mirror } from '../images/mirror-result.ts'
import type { UpstreamBreaker } from './upstream-breaker.ts'

/** Minimum time from any fetch of a job to its next poll or query, and between two fetches for its hooks. */
const FETCH_SPACING_MS = 1_000

export interface ConfirmerParts {
  readonly store: Pick<JobStore, 'findJob' | 'findByUpstreamId'>
  readonly upstream: Pick<Upstream, 'fetch'>
  readonly applyReport: ApplyReport
  readonly breaker: UpstreamBreaker
  readonly mirror: Pick<Mirror, 'copySoon'>
  /** Limits the fetch rate of all jobs together. */
  readonly fetchLimiter: RateLimiter
  readonly telemetry: Pick<Telemetry, 'fetchEnded' | 'hookNotBound'>
  readonly clock: Clock
  /** Aborts when the gateway stops; fetches that still wait for a slot are then skipped. */
  readonly stopping: AbortSignal
}

export class Confirmer {
  readonly #parts: ConfirmerParts
  /** Fetches in progress for polls and queries, and polls that wait for a slot; by job id. */
  readonly #flights = new Map<string, Promise<Confirmed>>()
  readonly #waiting = new Map<string, Promise<Confirmed>>()
  /** When each job was last fetched, by any caller. */
  readonly #lastFetchAt: TtlCache<number>
  readonly #hookQueue: HookQueue

  constructor(parts: ConfirmerParts) {
    this.#parts = parts
    this.#lastFetchAt = createTtlCache(FETCH_SPACING_MS, () => parts.clock.now())
    this.#hookQueue = new HookQueue({
      spacingMs: FETCH_SPACING_MS,
      waitForSlot: async (spacingMs) => this.#waitForSlot(spacingMs),
      clock: parts.clock,
      fetch: async (job, hintedId) => this.#fetchForHook(job, hintedId),
    })
  }

  /**
   * For a query: joins the job's fetch in progress or starts one. Returns the job unchanged if it is done, is not
   * upstream yet, was fetched less than a second ago, or if the circuit breaker or the rate limit allows no fetch now.
   */
  async refresh(job: SwapJob): Promise<SwapJob> {
    const { breaker, fetchLimiter } = this.#parts
    if (isDone(job.status) || job.upstreamId === null) return job
    const flight = this.#flights.get(job.id)
    if (flight) return (await flight).job
    if (this.#spacingLeftMs(job.id) > 0 || breaker.isOpen() || !(await fetchLimiter.tryTake())) return job
    // Another query may have started a fetch meanwhile.
    const other = this.#flights.get(job.id)
    if (other) return (await other).job
    if (this.#spacingLeftMs(job.id) > 0 || !breaker.tryPass()) return job
    return (await this.#startFlight(job, job.upstreamId, 'FETCH')).job
  }

  /**
   * For the reconciler: waits for a slot and fetches once for all callers that wait. Does not fetch while the circuit
   * breaker is open.
   */
  async poll(job: SwapJob): Promise<Confirmed> {
    if (isDone(job.status) || job.upstreamId === null) return unanswered(job)
    const pending = this.#waiting.get(job.id) ?? this.#waitAndFetch(job)
    this.#waiting.set(job.id, pending)
    return pending
  }

  /**
   * For a hook: fetches at once, or in the job's next slot if one of its hooks was fetched less than a second ago.
   * @param hintedId the id that the hook named. It is used only while the job has no id of its own, and trusted only if
   * the fetched document is bound to this job. The verdict is about this id only.
   */
  async confirmHook(job: SwapJob, hintedId: string | null): Promise<Confirmed> {
    const requestedId = job.upstreamId ?? hintedId
    if (isSettled(job) || requestedId === null) return unanswered(job)
    const { verdict, job: current } = await this.#hookQueue.take(job, requestedId)
    return verdict ?? unanswered(current)
  }

  async #waitAndFetch(job: SwapJob): Promise<Confirmed> {
    const { store, breaker } = this.#parts
    let current: SwapJob | null = job
    try {
      do {
        // A fetch in progress began before this poll, so it does not count. Its own callers handle its failure.
        await this.#flights.get(job.id)?.catch(() => null)
        if (!(await this.#waitForSlot(this.#spacingLeftMs(job.id)))) return unanswered(job)
        current = await store.findJob(job.id)
      } while (this.#flights.has(job.id) || this.#spacingLeftMs(job.id) > 0)
    } finally {
      this.#waiting.delete(job.id)
    }
    if (!current || isDone(current.status) || current.upstreamId === null || !breaker.tryPass()) {
      return unanswered(current ?? job)
    }
    return this.#startFlight(current, current.upstreamId, 'RECONCILER')
  }

  #spacingLeftMs(jobId: string): number {
    const last = this.#lastFetchAt.get(jobId)
    return last === undefined ? 0 : Math.max(0, last + FETCH_SPACING_MS - this.#parts.clock.now())
  }

  /** Resolves to false if the gateway stops first. */
  async #waitForSlot(spacingMs: number): Promise<boolean> {
    const { clock, fetchLimiter, stopping } = this.#parts
    try {
      if (spacingMs > 0) await clock.delay(spacingMs, stopping)
      await fetchLimiter.take(stopping)
      return true
    } catch (error) {
      if (stopping.aborted) return false
      throw error
    }
  }

  /** Call it only after the breaker has let the fetch through. */
  #startFlight(job: SwapJob, upstreamId: string, source: Report['source']): Promise<Confirmed> {
    const flight = this.#fetchAndApply(job, upstreamId, source).finally(() => this.#flights.delete(job.id))
    this.#flights.set(job.id, flight)
    return flight
  }

  /** Starts a fetch for a hook; `verdict` is null if there is nothing to fetch, or the breaker is open. */
  async #fetchForHook(job: SwapJob, hintedId: string) {
    const { store, breaker } = this.#parts
    const current = await store.findJob(job.id)
    if (!current || isSettled(current) || !breaker.tryPass()) return { verdict: null, job: current ?? job }
    return { verdict: this.#fetchAndApply(current, current.upstreamId ?? hintedId, 'HOOK'), job: current }
  }

  async #fetchAndApply(job: SwapJob, upstreamId: string, source: Report['source']): Promise<Confirmed> {
    const { store, upstream, applyReport, breaker, mirror, telemetry, clock } = this.#parts
    const startedAt = clock.now()
    this.#lastFetchAt.set(job.id, startedAt)
    const outcome = await upstream.fetch(upstreamId)
    faultPoint('fetch-answered')
    const isReached = outcome.kind !== 'nothing' || !outcome.isDown
    telemetry.fetchEnded(job, source, describeOutcome(outcome), { startedAt, endedAt: clock.now() })
    if (isReached) breaker.succeeded()
    else breaker.failed()

    if (job.upstreamId === null) {
      // The upstream sends a hook when a job ends. Unless the fetch agrees, it does not bind the id.
      if (outcome.kind === 'nothing' || outcome.kind === 'unfinished')
        return { job, isAnswered: outcome.kind === 'unfinished', isReached, isForeign: false }
      if (!(await isBound(store, job, outcome))) {
        telemetry.hookNotBound(job)
        return { job, isAnswered: true, isReached, isForeign: true }
      }
      // This document echoes nothing that identifies the job. Another hook's document may.
      if (!isEchoed(outcome.echo) && this.#hookQueue.hasOthers(job.id, upstreamId))
        return { ...unanswered(job), isReached }
    }
    const copy = outcome.kind === 'succeeded' && !isDone(job.status) ? await mirror.copySoon(job, outcome.links) : null
    const finding = toFinding(outcome, copy)
    const written = await applyReport(job, { source, at: clock.now(), finding })
    return { job: written, isAnswered: outcome.kind !== 'nothing', isReached, isForeign: false }
  }
}

function unanswered(job: SwapJob): Confirmed {
  return { job, isAnswered: false, isReached: false, isForeign: false }
}

/**
 * Whether a fetched document belongs to this job, whose id only a hook has named. Everything that the upstream echoes
 * must equal, byte for byte, what was sent, and no other job may have the id.
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

function isEchoed({ hookUrl, targetImage, swapImage }: Echo): boolean {
  return hookUrl !== null || targetImage !== null || swapImage !== null
}

function describeOutcome(outcome: FetchOutcome): UpstreamCallOutcome {
  const { kind } = outcome
  const upstreamMessage = 'upstreamMessage' in outcome ? outcome.upstreamMessage : null
  return kind === 'nothing'
    ? { kind, httpStatus: outcome.httpStatus, reason: outcome.reason, upstreamId: null, upstreamMessage }
    : { kind, httpStatus: 200, reason: null, upstreamId: outcome.upstreamId, upstreamMessage }
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
    case 'failed': {
      const { upstreamId, word, failure, upstreamMessage } = outcome
      return { kind: 'failed', upstreamId, word, failure, upstreamMessage }
    }
    case 'nothing':
      return { kind: 'unanswered' }
  }
}
