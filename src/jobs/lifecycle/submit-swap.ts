import { retryDelayMs } from '../../lib/time/backoff.ts'
import type { Background } from '../../lib/async/background.ts'
import type { Clock } from '../../lib/time/clock.ts'
import { faultPoint } from '../../lib/fault-points.ts'
import type { Finding, Report } from '../../domain/report.ts'
import type { SwapJob, SwapRefusal } from '../../domain/swap-job.ts'
import { CommitUnknownError, type JobStore } from '../../store/job-store.ts'
import type { Telemetry, UpstreamCallOutcome } from '../../telemetry/events.ts'
import type { SubmitOutcome, Upstream } from '../../upstream/upstream.ts'
import type { ApplyReport } from './apply-report.ts'
import type { HookAddresses } from './hook-addresses.ts'
import { type HeldLease, type Leases, SUBMIT_LEASE_MS } from './leases.ts'
import type { ReleaseUnsent } from './release-unsent.ts'
import { toContentRefusals } from './tenant-budget.ts'
import type { UpstreamBreaker } from './upstream-breaker.ts'

const RECORD_EVERY_MS = 1_000
const MAX_RECORD_TRIES = 10

export interface SubmitterParts {
  readonly store: Pick<JobStore, 'claimSubmit' | 'findNextWaiting'>
  readonly breaker: UpstreamBreaker
  readonly maxInFlight: number
  readonly background: Background
  readonly leases: Pick<Leases, 'hold'>
  readonly releaseUnsent: ReleaseUnsent
  readonly upstream: Pick<Upstream, 'submit'>
  readonly applyReport: ApplyReport
  readonly hookAddresses: HookAddresses
  readonly telemetry: Pick<Telemetry, 'submitEnded'>
  readonly clock: Clock
  readonly random: () => number
}

/** Sends claimed jobs upstream, each claim once, and records the outcomes. */
export class Submitter {
  readonly #parts: SubmitterParts

  constructor(parts: SubmitterParts) {
    this.#parts = parts
  }

  /**
   * Sends a claimed job upstream, once, and records the outcome. The claim must be durable: from here on the upstream
   * may charge. The submit continues if the caller disconnects.
   */
  async submit(claimed: SwapJob): Promise<SwapJob> {
    const submitted = this.#sendClaimed(claimed)
    // Also run in the background, so that shutdown waits for it even if its caller has disconnected.
    this.#parts.background.run('submit a job', () => submitted)
    return submitted
  }

  /** Submits waiting jobs, in the order of `findNextWaiting`. Resolves when no other can be submitted now. */
  async submitWaiting(): Promise<void> {
    while (await this.#submitNext());
  }

  /** @returns whether another job may follow. */
  async #submitNext(): Promise<boolean> {
    const { store, breaker, background, clock } = this.#parts
    const now = clock.now()
    const job = await store.findNextWaiting(now, toContentRefusals(now))
    if (!job || !breaker.tryPass()) return false
    const claimed = await this.#claim(job)
    if (!claimed) {
      breaker.abandoned()
      return false
    }
    faultPoint('resubmit-claimed')
    background.run('submit a queued job', () => this.#sendClaimed(claimed))
    return true
  }

  /** @returns null if another process claimed the job first, or `maxInFlight` is reached. */
  async #claim(job: SwapJob): Promise<SwapJob | null> {
    const { store, breaker, hookAddresses, releaseUnsent, maxInFlight, clock } = this.#parts
    const leaseUntil = clock.now() + SUBMIT_LEASE_MS
    const claim = { hookAddress: hookAddresses.addressOf(job.id), leaseUntil, maxInFlight }
    try {
      return await store.claimSubmit(job, claim)
    } catch (error) {
      breaker.abandoned()
      if (error instanceof CommitUnknownError) {
        releaseUnsent({ jobId: job.id, fencing: job.fencing + 1, leaseUntil, mayWait: true }, error)
      }
      throw error
    }
  }

  async #sendClaimed(claimed: SwapJob): Promise<SwapJob> {
    if (claimed.leaseUntil === null || claimed.hookAddress === null) throw new TypeError('a submit needs a claim')
    const lease = this.#parts.leases.hold(claimed)
    return this.#send(claimed, claimed.hookAddress, lease).finally(() => lease.release())
  }

  async #send(claimed: SwapJob, hookUrl: string, lease: HeldLease): Promise<SwapJob> {
    const { upstream, breaker, telemetry, clock, random } = this.#parts
    const startedAt = clock.now()
    const outcome = await upstream.submit({
      targetImage: claimed.targetImageUrl,
      swapImage: claimed.swapImageUrl,
      hookUrl,
    })
    faultPoint('submit-answered')
    await lease.stopRenewing()
    if (outcome.kind === 'notSent' || outcome.kind === 'unknown') breaker.failed()
    else breaker.succeeded()
    const at = clock.now()
    telemetry.submitEnded(claimed, describeOutcome(outcome), { startedAt, endedAt: at })
    const finding = toFinding(outcome, at + retryDelayMs(claimed.fencing, random()))
    const job = await this.#record(claimed, { source: 'SUBMIT', at, fencing: claimed.fencing, finding })
    faultPoint('submit-recorded')
    return job
  }

  /** The response exists only in memory, so recording it is retried while the database is unavailable. */
  async #record(claimed: SwapJob, report: Report): Promise<SwapJob> {
    const { applyReport, clock } = this.#parts
    for (let tries = 1; ; tries += 1) {
      try {
        return await applyReport(claimed, report)
      } catch (error) {
        if (tries === MAX_RECORD_TRIES) throw error
        await clock.delay(RECORD_EVERY_MS)
      }
    }
  }
}

function describeOutcome(outcome: SubmitOutcome): UpstreamCallOutcome {
  const { kind } = outcome
  const nothing = { kind, httpStatus: null, reason: null, upstreamId: null, upstreamMessage: null }
  switch (kind) {
    case 'accepted':
      return { ...nothing, httpStatus: 200, upstreamId: outcome.upstreamId }
    case 'refused': {
      const { httpStatus, failure, upstreamMessage } = outcome
      const reason = outcome.transient ? toRefusal(outcome).message : failure.message
      return { ...nothing, httpStatus, reason, upstreamMessage }
    }
    case 'notSent':
      return { ...nothing, reason: outcome.reason }
    case 'unknown': {
      const { httpStatus, reason, upstreamMessage } = outcome
      return { ...nothing, httpStatus, reason, upstreamMessage }
    }
  }
}

function toFinding(outcome: SubmitOutcome, retryAt: number): Finding {
  switch (outcome.kind) {
    case 'accepted':
      return { kind: 'accepted', upstreamId: outcome.upstreamId }
    case 'refused': {
      const { transient, retryAfterMs, failure, upstreamMessage } = outcome
      return transient
        ? { kind: 'released', retryAt: retryAt + (retryAfterMs ?? 0), refusal: toRefusal(outcome) }
        : { kind: 'refused', failure, upstreamMessage }
    }
    case 'notSent':
      return { kind: 'released', retryAt, refusal: NOT_REACHED }
    case 'unknown':
      return { kind: 'unconfirmed' }
  }
}

const NOT_REACHED: SwapRefusal = { reason: 'UPSTREAM_DOWN', message: 'The upstream could not be reached.' }

/** Of a refusal that will be retried (upstream contract, "HTTP codes"). */
function toRefusal({ httpStatus }: Extract<SubmitOutcome, { kind: 'refused' }>): SwapRefusal {
  const why = BUSY_REASONS[httpStatus] ?? 'none of its accounts is free'
  return { reason: 'UPSTREAM_BUSY', message: `The upstream refused the swap for now: HTTP ${httpStatus}, ${why}.` }
}

const BUSY_REASONS: Readonly<Record<number, string>> = { 429: 'too many requests', 499: 'its queue is full' }
