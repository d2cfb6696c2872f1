import { WATCHED_EVERY_MS } from '../../domain/poll-schedule.ts'
import type { SwapJob } from '../../domain/swap-job.ts'
import type { JobStore } from '../../store/job-store.ts'

/**
 * A job that is watched from now on is looked at soon, even where its schedule has grown long. Never rejects: what cannot be
 * written leaves the schedule as it is.
 */
export async function pollSooner(store: Pick<JobStore, 'applyDecision'>, job: SwapJob, now: number): Promise<void> {
  const soon = now + WATCHED_EVERY_MS
  if (job.status !== 'ON_QUEUE' || job.wakeAt === null || job.wakeAt <= soon) return
  await store.applyDecision(job, { kind: 'bookkeeping', patch: { wakeAt: soon } }, now, 'CALLER').catch(() => null)
}
