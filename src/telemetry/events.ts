import type { Report } from '../domain/report.ts'
import type { SwapJob } from '../domain/swap-job.ts'

/**
 * Business events for the operator, one function each. No function takes a key. A job holds image addresses, its hook
 * address and links: an implementation must not write them.
 */
export interface Telemetry {
  jobMoved(job: SwapJob, report: Report): void
  /** A late report contradicts the status of a finished job. */
  evidenceTooLate(job: SwapJob, report: Report): void
  /** The upstream returned an id that belongs to another job. */
  upstreamIdTaken(job: SwapJob, report: Report): void
  submitEnded(job: SwapJob, kind: string, reason: string | null): void
  fetchUnanswered(job: SwapJob, reason: string): void
  /** A hook named an upstream id that a fetch did not confirm as this job's. */
  hookNotBound(job: SwapJob): void
  hookRefused(): void
  /** A page of this origin was refused; called once per origin and for at most 100 origins. */
  originRefused(origin: string): void
  /** A valid hook could not be journaled, and was not acknowledged. */
  hookNotRecorded(error: unknown): void
  /** A swap could not be recorded, and was rejected. */
  jobNotRecorded(error: unknown): void
  /** Work on this job fails again and again; only its deadline ends it. */
  jobParked(job: SwapJob, error: unknown): void
  /** The last attempt to deliver a webhook failed. */
  webhookExhausted(webhook: { readonly id: string; readonly jobId: string }): void
  /** A copy of a result could not be made; `isFinal` if it is not retried. Code and reason contain no foreign text. */
  mirrorFailed(
    job: SwapJob,
    failure: { readonly code: string; readonly reason: string; readonly isFinal: boolean },
  ): void
  /** Background work failed. `what` completes the sentence "could not …". */
  backgroundFailed(what: string, error: unknown): void
  /** The fast path left a request to graphql-js. @param reason one of a few fixed words. */
  fastPathFellBack(reason: string): void
  /** A step of the shutdown has begun. */
  shutdownStepBegan(name: string): void
  /** Called for each statement that reached the database. */
  databaseQueried(): void
}
