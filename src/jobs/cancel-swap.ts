import { requireScope, type Viewer } from '../auth/viewer.ts'
import type { SwapJob } from '../domain/swap-job.ts'
import type { Clock } from '../lib/time/clock.ts'
import type { JobStore } from '../store/job-store.ts'
import type { ApplyReport } from './lifecycle/apply-report.ts'
import { findVisibleJobs } from './read-jobs.ts'

export interface CancelSwapParts {
  readonly store: Pick<JobStore, 'findOwnJobs'>
  readonly applyReport: ApplyReport
  readonly clock: Pick<Clock, 'now'>
}

/** `tooLate`: the job is being sent, is upstream, or is done. `job` is its current state. */
export type CancelOutcome =
  | { readonly kind: 'canceled' | 'tooLate'; readonly job: SwapJob }
  | { readonly kind: 'notFound' }

/** Cancels a job that has not been sent. Canceling a canceled job returns `canceled` again. */
export type CancelSwap = (viewer: Viewer, id: string) => Promise<CancelOutcome>

export function createCancelSwap({ store, applyReport, clock }: CancelSwapParts): CancelSwap {
  return async (viewer, id) => {
    requireScope(viewer, 'swap:write')
    const [job] = await findVisibleJobs(store, viewer, [id])
    if (!job) return { kind: 'notFound' }
    const now = await applyReport(job, { source: 'CALLER', at: clock.now(), finding: { kind: 'canceled' } })
    return { kind: now.status === 'CANCELED' ? 'canceled' : 'tooLate', job: now }
  }
}
