/**
 * Follows up on a claim whose commit outcome is unknown (`CommitUnknownError`) and under which nothing was sent. If the
 * claim turns out to be recorded, it ends and the job waits for another submit. A new job without an idempotency key
 * fails instead: its caller received the error that nothing was sent, and may create another. A call with a key can be
 * repeated with the same key, which returns this job.
 */
import type { Background } from '../../lib/async/background.ts'
import type { Clock } from '../../lib/time/clock.ts'
import type { Finding } from '../../domain/report.ts'
import { NOT_RECORDED_IN_TIME } from '../../domain/transitions.ts'
import { isDone } from '../../domain/swap-job.ts'
import type { CommitUnknownError, JobStore } from '../../store/job-store.ts'
import type { ApplyReport } from './apply-report.ts'
import type { Leases } from './leases.ts'

const ASK_EVERY_MS = 1_000

export interface ReleaseUnsentParts {
  readonly store: Pick<JobStore, 'findJob'>
  readonly applyReport: ApplyReport
  readonly leases: Pick<Leases, 'doubt'>
  readonly background: Background
  readonly clock: Clock
  readonly stopping: AbortSignal
}

/** A claim under which nothing was sent. */
export interface Unsent {
  readonly jobId: string
  readonly fencing: number
  readonly leaseUntil: number | null
  /** Whether the job may wait for another submit; otherwise it fails. */
  readonly mayWait: boolean
}

export type ReleaseUnsent = (claim: Unsent, doubt: CommitUnknownError) => void

export function createReleaseUnsent(parts: ReleaseUnsentParts): ReleaseUnsent {
  const { store, applyReport, leases, background, clock, stopping } = parts

  /** @returns false if the database is still unavailable. */
  const release = async ({ jobId, fencing, leaseUntil, mayWait }: Unsent): Promise<boolean> => {
    try {
      const job = await store.findJob(jobId)
      if (!job || isDone(job.status) || job.fencing !== fencing || job.upstreamId !== null) return true
      // After a database crash that lost transactions, another process's claim may have the same number.
      if (job.status === 'PENDING' && job.leaseUntil !== leaseUntil) return true
      const at = clock.now()
      const finding: Finding =
        mayWait && job.status === 'PENDING'
          ? { kind: 'released', retryAt: at }
          : { kind: 'refused', failure: NOT_RECORDED_IN_TIME }
      await applyReport(job, { source: 'SUBMIT', at, fencing, finding })
      return true
    } catch {
      return false
    }
  }

  return (claim, doubt) => {
    const settle = leases.doubt(claim.jobId)
    background.run('release an unused claim', async () => {
      // If the commit failed, a claim that is found is a different one, perhaps another process's.
      let isOver = (await doubt.findOut(stopping)) !== true
      while (!isOver && !stopping.aborted) {
        isOver = await release(claim)
        if (!isOver) await clock.delay(ASK_EVERY_MS, stopping).catch(() => null)
      }
      settle()
    })
  }
}
