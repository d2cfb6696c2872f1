import type { Webhook, WebhookAttempt, WebhookState } from '../domain/webhook.ts'

export interface WebhookStore {
  /**
   * Claims due events, except for the hosts in `notTo`, and makes them due again at `until`: if this process dies,
   * another one claims them then.
   */
  claimDue(now: number, until: number, limit: number, notTo: readonly string[]): Promise<readonly Webhook[]>
  /**
   * Records an attempt, and moves the event to `next` if it is still in the state of `webhook`. If `nextAt` is null, no
   * attempt follows.
   * @returns false if the event was erased, replayed or attempted again meanwhile; its state then stays.
   */
  recordAttempt(
    webhook: Webhook,
    attempt: WebhookAttempt,
    next: { readonly state: WebhookState; readonly nextAt: number | null },
  ): Promise<boolean>
  /** The event of each job, and its latest attempts, earliest first; null for a job without an event. */
  findByJobs(jobIds: readonly string[]): Promise<(WebhookWithAttempts | null)[]>
  /** Restarts the delivery schedule. False if the job has no event, or it was erased. */
  replay(jobId: string, now: number): Promise<boolean>
}

export interface WebhookWithAttempts extends Webhook {
  readonly attempts: readonly WebhookAttempt[]
}
