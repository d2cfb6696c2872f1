/**
 * The reconciler: checks every unfinished job until it is done, so a lost hook, a dead submitter or a restart causes
 * only a delay. The schedule (`wakeAt`) is in the store, so after a crash the next process continues it.
 */
import type { Report } from '../../domain/report.ts'
import { isDone, type SwapJob } from '../../domain/swap-job.ts'
import type { Background } from '../../lib/async/background.ts'
import type { Clock } from '../../lib/time/clock.ts'
import type { JobStore } from '../../store/job-store.ts'
import type { Telemetry } from '../../telemetry/events.ts'
import type { HookReceiver } from './accept-hook.ts'
import type { ApplyReport } from './apply-report.ts'
import type { Confirmer } from './confirm-swap.ts'
import type { Leases } from './leases.ts'
import type { UpstreamBreaker } from './upstream-breaker.ts'

const SWEEP_EVERY_MS = 500
/** How long a sweep claims a job. If its process dies, another sweep takes the job after that. */
const CLAIM_MS = 10_000
/** Jobs checked concurrently. */
const MAX_AT_ONCE = 100
/** Consecutive failed checks after which a job is not checked again before its deadline. */
const FAILURES_TO_PARK = 5

export interface ReconcilerParts {
  readonly store: Pick<JobStore, 'claimDue'>
  readonly confirmer: Pick<Confirmer, 'poll'>
  readonly applyReport: ApplyReport
  readonly breaker: Pick<UpstreamBreaker, 'isOpen'>
  readonly hooks: Pick<HookReceiver, 'checkOnceMore'>
  readonly leases: Pick<Leases, 'isHeld'>
  readonly background: Background
  readonly telemetry: Pick<Telemetry, 'backgroundFailed' | 'jobParked'>
  readonly clock: Clock
}

export interface Reconciler {
  /** Starts no further sweep. Checks in progress belong to `background`. */
  close(): Promise<void>
}

/** Starts sweeping at once; the first sweep takes over what a crash left unfinished. */
export function openReconciler(parts: ReconcilerParts): Reconciler {
  const { store, confirmer, applyReport, breaker, hooks, leases, background, telemetry, clock } = parts
  let running = 0
  /** Consecutive failed checks, by job id. */
  const failures = new Map<string, number>()

  const checkUpstream = async (job: SwapJob) => {
    if (job.upstreamId !== null) {
      const { job: current, isAnswered } = await confirmer.poll(job)
      return { current, isAnswered }
    }
    // A job without an upstream id can be fetched only by the ids that its hooks named.
    const isOverdue = job.deadlineAt !== null && clock.now() >= job.deadlineAt
    return { current: job, isAnswered: !isOverdue || (await hooks.checkOnceMore(job.id)) }
  }

  const checkJob = async (job: SwapJob) => {
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
    const isParked = (failures.get(job.id) ?? 0) >= FAILURES_TO_PARK
    const { current, isAnswered } = isParked ? { current: job, isAnswered: true } : await checkUpstream(job)
    if (!isDone(current.status)) await applyReport(current, report({ kind: 'overdue', isAnswered }))
    if (!isParked) failures.delete(job.id)
  }

  /** Counts a failed check. After too many, the reconciler parks the job until its deadline and logs that once. */
  const recordFailure = (job: SwapJob, error: unknown) => {
    const count = (failures.get(job.id) ?? 0) + 1
    failures.set(job.id, count)
    if (count === FAILURES_TO_PARK) telemetry.jobParked(job, error)
    else telemetry.backgroundFailed('poll a job', error)
  }

  const sweep = async () => {
    const now = clock.now()
    const due = await store.claimDue(now, now + CLAIM_MS, MAX_AT_ONCE - running)
    for (const job of due) {
      running += 1
      background.run('poll a job', () =>
        checkJob(job)
          .catch((error: unknown) => recordFailure(job, error))
          .finally(() => {
            running -= 1
          }),
      )
    }
  }

  const stop = new AbortController()
  const loop = (async () => {
    while (!stop.signal.aborted) {
      try {
        // While the breaker is open nothing is polled. Afterwards the first poll is the probe.
        if (running < MAX_AT_ONCE && !breaker.isOpen()) await sweep()
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
