import { retryDelayMs } from '../../lib/time/backoff.ts'
import type { Background } from '../../lib/async/background.ts'
import type { Clock } from '../../lib/time/clock.ts'
import { faultPoint } from '../../lib/fault-points.ts'
import type { Finding, Report } from '../../domain/report.ts'
import type { SwapJob } from '../../domain/swap-job.ts'
import { CommitUnknownError, type JobStore } from '../../store/job-store.ts'
import type { Telemetry } from '../../telemetry/events.ts'
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

export interface Submitter {
  /**
   * Sends a claimed job upstream, once, and records what came of it. The claim must be durable: from here on the
   * upstream may charge. Not to be abandoned when a caller hangs up.
   */
  submit(claimed: SwapJob): Promise<SwapJob>
  /** Submits waiting jobs, as `findNextWaiting` orders them, while there is room. Resolves when none can follow. */
  submitWaiting(): Promise<void>
}

export function createSubmitter(parts: SubmitterParts): Submitter {
  const {
    store,
    upstream,
    applyReport,
    breaker,
    maxInFlight,
    background,
    leases,
    releaseUnsent,
    hookAddresses,
    telemetry,
    clock,
    random,
  } = parts

  /** The answer exists only here: while the database is away, recording it is retried. */
  const record = async (claimed: SwapJob, report: Report): Promise<SwapJob> => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await applyReport(claimed, report)
      } catch (error) {
        if (tries === MAX_RECORD_TRIES) throw error
        await clock.delay(RECORD_EVERY_MS)
      }
    }
  }

  const send = async (claimed: SwapJob, hookUrl: string, hold: HeldLease) => {
    const outcome = await upstream.submit({
      targetImage: claimed.targetImageUrl,
      swapImage: claimed.swapImageUrl,
      hookUrl,
    })
    faultPoint('submit-answered')
    await hold.stopRenewing()
    if (outcome.kind === 'notSent' || outcome.kind === 'unknown') breaker.failed()
    else breaker.succeeded()
    telemetry.submitEnded(claimed, outcome.kind, 'reason' in outcome ? outcome.reason : null)
    const at = clock.now()
    const finding = toFinding(outcome, at + retryDelayMs(claimed.fencing, random()))
    const job = await record(claimed, { source: 'SUBMIT', at, fencing: claimed.fencing, finding })
    faultPoint('submit-recorded')
    return job
  }

  const submit = async (claimed: SwapJob) => {
    if (claimed.leaseUntil === null || claimed.hookAddress === null) throw new TypeError('a submit needs a claim')
    const hold = leases.hold(claimed)
    return send(claimed, claimed.hookAddress, hold).finally(hold.release)
  }

  /** @returns whether another may follow. */
  const submitNext = async (): Promise<boolean> => {
    const now = clock.now()
    const job = await store.findNextWaiting(now, toContentRefusals(now))
    if (!job || !breaker.tryPass()) return false
    const leaseUntil = clock.now() + SUBMIT_LEASE_MS
    const claim = { hookAddress: hookAddresses.addressOf(job.id), leaseUntil, maxInFlight }
    const claimed = await store.claimSubmit(job, claim).catch((error: unknown) => {
      breaker.abandoned()
      if (error instanceof CommitUnknownError) {
        releaseUnsent({ jobId: job.id, fencing: job.fencing + 1, leaseUntil, mayWait: true }, error)
      }
      throw error
    })
    if (!claimed) {
      breaker.abandoned()
      return false
    }
    faultPoint('resubmit-claimed')
    background.run('submit a waiting job', () => submit(claimed))
    return true
  }

  return {
    submit: async (claimed) => {
      const submitted = submit(claimed)
      // Owned beside its caller, who may hang up: a stop waits for it.
      background.run('submit a job', () => submitted)
      return submitted
    },
    submitWaiting: async () => {
      while (await submitNext());
    },
  }
}

function toFinding(outcome: SubmitOutcome, retryAt: number): Finding {
  switch (outcome.kind) {
    case 'accepted':
      return { kind: 'accepted', upstreamId: outcome.upstreamId }
    case 'refused':
      return outcome.transient
        ? { kind: 'released', retryAt: retryAt + (outcome.retryAfterMs ?? 0) }
        : { kind: 'refused', failure: outcome.failure }
    case 'notSent':
      return { kind: 'released', retryAt }
    case 'unknown':
      return { kind: 'unconfirmed' }
  }
}
