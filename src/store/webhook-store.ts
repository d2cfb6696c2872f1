import type { Webhook, WebhookAttempt, WebhookState } from '../domain/webhook.ts'

export interface WebhookStore {
  /**
   * Takes events whose time has come, those for `notTo` left out, and puts their next time to `until`: whoever took them
   * and died is followed by another.
   */
  claimDue(now: number, until: number, limit: number, notTo: readonly string[]): Promise<readonly Webhook[]>
  /**
   * Records an attempt at exactly the state of `webhook`, and what is next; null: nothing.
   * @returns false if the event was erased, replayed or attempted again meanwhile: it stays as it is.
   */
  recordAttempt(
    webhook: Webhook,
    attempt: WebhookAttempt,
    next: { readonly state: WebhookState; readonly nextAt: number | null },
  ): Promise<boolean>
  /** The event of each job, and its attempts, earliest first; null for a job that has none. */
  findByJobs(jobIds: readonly string[]): Promise<(WebhookWithAttempts | null)[]>
  /** To be sent again from the beginning of the schedule. False if the job has no event, or it was erased. */
  replay(jobId: string, now: number): Promise<boolean>
}

export interface WebhookWithAttempts extends Webhook {
  readonly attempts: readonly WebhookAttempt[]
}
