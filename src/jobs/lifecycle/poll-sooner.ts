import { WATCHED_EVERY_MS } from '../../domain/poll-schedule.ts'
import type { SwapJob } from '../../domain/swap-job.ts'
import type { JobStore } from '../../store/job-store.ts'

/**
 * Moves the next poll of a newly watched job forward if it is further away than the interval of a watched job. Never
 * rejects: if the write fails, the schedule stays unchanged.
 */
export async function pollSooner(store: Pick<JobStore, 'applyDecision'>, job: SwapJob, now: number): Promise<void> {
  const soon = now + WATCHED_EVERY_MS
  if (job.status !== 'ON_QUEUE' || job.wakeAt === null || job.wakeAt <= soon) return
  await store.applyDecision(job, { kind: 'bookkeeping', patch: { wakeAt: soon } }, now, 'CALLER').catch(() => null)
}
