/**
 * The reconciler: looks after every unfinished job until it is done, so that a lost hook, a dead submitter or a
 * restart only delays. What to look at, and when, is in the store (`wakeAt`), not in memory: after a crash another
 * process, or this one started again, goes on.
 */
import type { Report } from '../../domain/report.ts'
import { isDone, type SwapJob } from '../../domain/swap-job.ts'
import type { Background } from '../../lib/async/background.ts'
import type { Clock } from '../../lib/time/clock.ts'
import type { JobStore } from '../../store/job-store.ts'
import type { Telemetry } from '../../telemetry/events.ts'
import type { HookTaker } from './accept-hook.ts'
import type { ApplyReport } from './apply-report.ts'
import type { Confirmer } from './confirm-swap.ts'
import type { Leases } from './leases.ts'
import type { UpstreamBreaker } from './upstream-breaker.ts'

const SWEEP_EVERY_MS = 500
/** How long a sweep keeps a job to itself: when its process dies, another looks at the job after that. */
const CLAIM_MS = 10_000
/** Jobs looked after at one time. */
const MAX_AT_ONCE = 100
/** Failed looks in a row after which job parked after repeated failures. */
const STRIKES_TO_PARK = 5

export interface ReconcilerParts {
  readonly store: Pick<JobStore, 'claimDue'>
  readonly confirmer: Pick<Confirmer, 'poll'>
  readonly applyReport: ApplyReport
  readonly breaker: Pick<UpstreamBreaker, 'isOpen'>
  readonly hooks: Pick<HookTaker, 'lookOnceMore'>
  readonly leases: Pick<Leases, 'isHeld'>
  readonly background: Background
  readonly telemetry: Pick<Telemetry, 'backgroundFailed' | 'jobParked'>
  readonly clock: Clock
}

export interface Reconciler {
  /** Starts no further sweep. What is under way belongs to `background`. */
  close(): Promise<void>
}

/** Starts sweeping at once: what a crash left unfinished is taken up with the first sweep. */
export function openReconciler(parts: ReconcilerParts): Reconciler {
  const { store, confirmer, applyReport, breaker, hooks, leases, background, telemetry, clock } = parts
  let atWork = 0
  /** Looks in a row that failed, by job id. */
  const strikes = new Map<string, number>()

  const look = async (job: SwapJob) => {
    if (job.upstreamId !== null) {
      const { job: current, isAnswered } = await confirmer.poll(job)
      return { current, isAnswered }
    }
    // A job without an id of its own can only be looked up by the ids that its hooks named.
    const isOverdue = job.deadlineAt !== null && clock.now() >= job.deadlineAt
    return { current: job, isAnswered: !isOverdue || (await hooks.lookOnceMore(job.id)) }
  }

  const lookAfter = async (job: SwapJob) => {
    const report = (finding: Report['finding']): Report => ({
      source: 'RECONCILER',
      at: clock.now(),
      fencing: job.fencing,
      finding,
    })
    if (job.status === 'PENDING' && job.leaseUntil !== null) {
      const isOver = clock.now() >= job.leaseUntil && !leases.isHeld(job.id)
      if (isOver) await applyReport(job, report({ kind: 'unconfirmed' }))
      return
    }
    const isParked = (strikes.get(job.id) ?? 0) >= STRIKES_TO_PARK
    const { current, isAnswered } = isParked ? { current: job, isAnswered: true } : await look(job)
    if (!isDone(current.status)) await applyReport(current, report({ kind: 'overdue', isAnswered }))
    if (!isParked) strikes.delete(job.id)
  }

  /** A job whose handling fails again and again is left to its deadline: it blocks nobody, and somebody is told. */
  const strike = (job: SwapJob, error: unknown) => {
    const count = (strikes.get(job.id) ?? 0) + 1
    strikes.set(job.id, count)
    if (count === STRIKES_TO_PARK) telemetry.jobParked(job, error)
    else telemetry.backgroundFailed('poll a job', error)
  }

  const sweep = async () => {
    const now = clock.now()
    const due = await store.claimDue(now, now + CLAIM_MS, MAX_AT_ONCE - atWork)
    for (const job of due) {
      atWork += 1
      background.run('poll a job', () =>
        lookAfter(job)
          .catch((error: unknown) => strike(job, error))
          .finally(() => {
            atWork -= 1
          }),
      )
    }
  }

  const stop = new AbortController()
  const loop = (async () => {
    while (!stop.signal.aborted) {
      try {
        // An upstream that is down is asked nothing; once it may be up again the first job looked after is the probe.
        if (atWork < MAX_AT_ONCE && !breaker.isOpen()) await sweep()
      } catch (error) {
        telemetry.backgroundFailed('poll due jobs', error)
      }
      await clock.delay(SWEEP_EVERY_MS, stop.signal).catch(() => null)
    }
  })()

  return {
    close: async () => {
      stop.abort()
      await loop
    },
  }
}
