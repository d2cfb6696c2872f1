import { requireScope, type Viewer } from '../auth/viewer.ts'
import type { SwapJob } from '../domain/swap-job.ts'
import type { Clock } from '../lib/time/clock.ts'
import type { JobStore } from '../store/job-store.ts'
import type { WebhookStore } from '../store/webhook-store.ts'
import { findVisibleJobs } from './read-jobs.ts'

export type ReplayOutcome =
  | { readonly kind: 'replayed'; readonly job: SwapJob }
  /** The job is not done, is forgotten, or has no webhook. */
  | { readonly kind: 'nothingToSend'; readonly job: SwapJob }
  | { readonly kind: 'notFound' }

export interface ReplayWebhookParts {
  readonly store: Pick<JobStore, 'findOwnJobs'>
  readonly webhooks: Pick<WebhookStore, 'replay'>
  readonly onWebhook: () => void
  readonly clock: Pick<Clock, 'now'>
}

/** Schedules a job's webhook again, with the same event id and from the first attempt. */
export type ReplayWebhook = (viewer: Viewer, id: string) => Promise<ReplayOutcome>

export function createReplayWebhook({ store, webhooks, onWebhook, clock }: ReplayWebhookParts): ReplayWebhook {
  return async (viewer, id) => {
    requireScope(viewer, 'swap:write')
    const [job] = await findVisibleJobs(store, viewer, [id])
    if (!job) return { kind: 'notFound' }
    if (job.forgottenAt !== null || !(await webhooks.replay(job.id, clock.now()))) return { kind: 'nothingToSend', job }
    onWebhook()
    return { kind: 'replayed', job }
  }
}
