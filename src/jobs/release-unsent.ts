/**
 * Follows up on a new job whose commit is in doubt (`CommitUnknownError`). Its caller was told that nothing was sent, so
 * nothing may be: if the job turns out to be recorded, its claim ends. Without an idempotency key it fails, because its
 * caller will make another; with one it waits for its turn, because the same key gets this job again.
 */
import type { Background } from '../lib/background.ts'
import type { Clock } from '../lib/clock.ts'
import type { Finding } from '../domain/report.ts'
import { NOT_RECORDED_IN_TIME } from '../domain/transitions.ts'
import { isDone } from '../domain/swap-job.ts'
import type { JobStore, NewSwapJob } from '../store/job-store.ts'
import type { ApplyReport } from './apply-report.ts'
import type { Leases } from './leases.ts'

const ASK_EVERY_MS = 1_000
/** A transaction without its client is undone by the database long before this. */
const ABSENT_AFTER_MS = 60_000
/** The claim that a job is recorded with. */
const FIRST_FENCING = 1

export interface ReleaseUnsentParts {
  readonly store: Pick<JobStore, 'findJob'>
  readonly applyReport: ApplyReport
  readonly leases: Pick<Leases, 'holdUnsent'>
  readonly background: Background
  readonly clock: Clock
  readonly stopping: AbortSignal
}

type Unsent = Pick<NewSwapJob, 'id' | 'idempotency'>

export type ReleaseUnsent = (job: Unsent) => void

export function createReleaseUnsent(parts: ReleaseUnsentParts): ReleaseUnsent {
  const { store, applyReport, leases, background, clock, stopping } = parts

  /** @returns whether nothing is left to do. */
  const release = async ({ id, idempotency }: Unsent, isAbsentFinal: boolean): Promise<boolean> => {
    try {
      const job = await store.findJob(id)
      if (!job) return isAbsentFinal
      if (isDone(job.status) || job.fencing !== FIRST_FENCING || job.upstreamId !== null) return true
      const at = clock.now()
      const finding: Finding =
        idempotency !== null && job.status === 'PENDING'
          ? { kind: 'released', retryAt: at }
          : { kind: 'refused', failure: NOT_RECORDED_IN_TIME }
      await applyReport(job, { source: 'SUBMIT', at, fencing: FIRST_FENCING, finding })
      return true
    } catch {
      // The database is still away. Without this the job would end at its deadline.
      return false
    }
  }

  return (job) => {
    // Without this the reconciler would take the job for sent once its lease is over.
    const letGo = leases.holdUnsent(job.id)
    background.run('release a job that was not sent', async () => {
      const since = clock.now()
      try {
        while (!stopping.aborted && !(await release(job, clock.now() - since > ABSENT_AFTER_MS))) {
          await clock.delay(ASK_EVERY_MS, stopping).catch(() => null)
        }
      } finally {
        letGo()
      }
    })
  }
}
