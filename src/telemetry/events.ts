import type { StoredImage } from '../domain/image.ts'
import type { Report } from '../domain/report.ts'
import type { TraceContext } from '../domain/trace-context.ts'
import type { ObservationSource, SwapJob } from '../domain/swap-job.ts'
import type { Webhook, WebhookAttempt, WebhookState } from '../domain/webhook.ts'

/** When something began and ended, in epoch milliseconds. */
export interface Interval {
  readonly startedAt: number
  readonly endedAt: number
}

/** How a call to the upstream about a job ended. */
export interface UpstreamCallOutcome {
  /** The `kind` of the `SubmitOutcome` or the `FetchOutcome`. */
  readonly kind: string
  /** Null if there was no response. */
  readonly httpStatus: number | null
  /** The gateway's own words; null if the upstream accepted the job or returned its status. */
  readonly reason: string | null
  /** The upstream's id of the job, from the response; null if the response has none. */
  readonly upstreamId: string | null
  /** The upstream's own words, sanitised; null if there are none. For operators only. */
  readonly upstreamMessage: string | null
}

export const TRANSPORTS = ['http', 'sse', 'websocket'] as const
export type Transport = (typeof TRANSPORTS)[number]

/** The outcome of a GraphQL operation. */
export interface AnsweredOperation {
  readonly transport: Transport
  /** `none` if the request was refused before an operation ran. */
  readonly type: 'query' | 'mutation' | 'subscription' | 'none'
  /** The name in the document if only trusted documents run; otherwise empty, because callers choose it. */
  readonly name: string
  readonly isOk: boolean
  /** Until the response was written; of a subscription, until its first event. */
  readonly durationMs: number
}

export const HTTP_ROUTES = ['graphql', 'hook', 'upload', 'image', 'rest', 'page', 'schema', 'health', 'other'] as const
export type HttpRoute = (typeof HTTP_ROUTES)[number]

export const CACHES = ['response', 'document', 'job'] as const
export type CacheName = (typeof CACHES)[number]

/**
 * Business events for the operator, one function each. No function takes a key. A job holds image addresses, its hook
 * address and links: an implementation must not write them.
 */
export interface Telemetry {
  /** A new job was recorded. @param requestId of the request that created it. */
  jobCreated(job: SwapJob, requestId: string | null): void
  jobMoved(job: SwapJob, report: Report): void
  /** The charge of a job that ended with an unknown one has become known. */
  lateChargeKnown(job: SwapJob): void
  /** A late report contradicts the status of a finished job. */
  evidenceTooLate(job: SwapJob, report: Report): void
  /** The upstream returned an id that belongs to another job. */
  upstreamIdTaken(job: SwapJob, report: Report): void
  submitEnded(job: SwapJob, outcome: UpstreamCallOutcome, interval: Interval): void
  /** @param source what the fetch was made for. */
  fetchEnded(job: SwapJob, source: ObservationSource, outcome: UpstreamCallOutcome, interval: Interval): void
  /** A valid hook was journaled. @param receivedAt when its request had arrived, epoch milliseconds. */
  hookRecorded(jobId: string, receivedAt: number): void
  /** A hook named an upstream id that a fetch did not confirm as this job's. */
  hookNotBound(job: SwapJob): void
  hookRefused(): void
  /** A page of this origin was refused; called once per origin and for at most 100 origins. */
  originRefused(origin: string): void
  /** A valid hook could not be journaled, and was not acknowledged. */
  hookNotRecorded(error: unknown): void
  /** A swap could not be recorded, and was rejected. */
  jobNotRecorded(error: unknown, requestId: string | null): void
  /** Checks of this job failed repeatedly: the reconciler does not check it again before its deadline. */
  jobParked(job: SwapJob, error: unknown): void
  /**
   * An attempt to deliver a webhook has ended.
   * @param state of the webhook after it; EXHAUSTED: it was the last one.
   * @param sent the trace context in the attempt's headers.
   */
  webhookAttempted(
    webhook: Webhook,
    attempt: WebhookAttempt,
    state: WebhookState,
    interval: Interval,
    sent: TraceContext | null,
  ): void
  /** The bytes of an upload were stored or rejected. */
  uploadReceived(image: StoredImage): void
  /** The bytes of an upload could not be stored. The caller may send them again. */
  uploadFailed(error: unknown): void
  resultCopied(job: SwapJob, interval: Interval): void
  /** A copy of a result failed; `isFinal` if it is not retried. Code and reason contain no text of others. */
  mirrorFailed(
    job: SwapJob,
    failure: { readonly code: string; readonly reason: string; readonly isFinal: boolean },
    interval: Interval,
  ): void
  /** The upstream has accepted the key: the first time, or again after it refused it. */
  keyAccepted(): void
  /** The upstream refuses the key, with HTTP 401 or 403. Called once, until it accepts the key again. */
  keyRefused(httpStatus: number | null): void
  /** The key could not be tested at the start, because the upstream could not be reached or failed. */
  keyNotTested(httpStatus: number | null, reason: string): void
  /** PUBLIC_URL was probed after the start. @param problem null if it leads to this gateway. */
  publicUrlProbed(publicUrl: string, problem: string | null): void
  /** A request failed with an unexpected error, whose details the caller does not see. */
  requestErred(error: unknown, requestId: string | null): void
  /** The response to an HTTP request has status 500 or above. @param code of the error in its body, if there is one. */
  requestFailed(requestId: string, method: string, httpStatus: number, code: string | null): void
  /** Background work failed. `what` completes the sentence "could not …". */
  backgroundFailed(what: string, error: unknown): void
  /** The response to an HTTP request has ended. @param status null if the connection closed before it began. */
  requestAnswered(route: HttpRoute, status: number | null): void
  operationAnswered(operation: AnsweredOperation): void
  /** The fast path handled a request: with a cached response, or by a compiled operation. */
  fastPathAnswered(from: 'cache' | 'compiled'): void
  /** The fast path left a request to graphql-js. @param reason one of a few fixed words. */
  fastPathFellBack(reason: string): void
  /** Entries were looked up in a cache. */
  cacheRead(cache: CacheName, hits: number, misses: number): void
  /** A step of the shutdown has begun. */
  shutdownStepBegan(name: string): void
  /** Called for each statement that reached the database. */
  databaseQueried(): void
}
