import type { Report } from '../domain/report.ts'
import type { SwapJob } from '../domain/swap-job.ts'

/**
 * What is worth telling an operator, one function for each business event. Nothing here takes a key, a hook token, an
 * image address or an upstream's text: what is not passed in cannot leak.
 */
export interface Telemetry {
  jobMoved(job: SwapJob, report: Report): void
  /** A report that came too late for a finished job, and says something else than the job's status. */
  evidenceTooLate(job: SwapJob, report: Report): void
  /** The upstream named an id for this job that another job has. */
  upstreamIdTaken(job: SwapJob, report: Report): void
  submitEnded(job: SwapJob, kind: string, reason: string | null): void
  fetchUnanswered(job: SwapJob, reason: string): void
  /** A hook named an upstream id that a fetch did not confirm as this job's. */
  hookNotBound(job: SwapJob): void
  hookRefused(): void
  /** A page of this origin was refused; called once per origin and for at most 100 origins. */
  originRefused(origin: string): void
  /** A hook of ours could not be written down, and was not acknowledged. */
  hookNotRecorded(error: unknown): void
  /** A swap could not be recorded, and was refused. */
  jobNotRecorded(error: unknown): void
  /** Work on this job fails again and again; only its deadline ends it. */
  jobParked(job: SwapJob, error: unknown): void
  /** An event that its receiver has not taken, and that is not tried any more. */
  webhookExhausted(webhook: { readonly id: string; readonly jobId: string }): void
  /** A copy of a result could not be made; `isFinal` if it is not tried again. Code and reason carry no foreign text. */
  mirrorFailed(
    job: SwapJob,
    failure: { readonly code: string; readonly reason: string; readonly isFinal: boolean },
  ): void
  /** Work that nobody waits for has failed; it is tried again by the reconciler. */
  backgroundFailed(what: string, error: unknown): void
  /** The fast path left a request to the engine. @param reason one of a few fixed words. */
  fastPathFellBack(reason: string): void
  /** A step of the shutdown has begun. */
  shutdownStepBegan(name: string): void
  /** Called for each statement that reached the database. */
  databaseQueried(): void
}
