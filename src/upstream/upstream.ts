/**
 * The contract of the upstream. Source: the SwapFace v1 reference, `POST /insightFace/v1/swap` and
 * `/insightFace/v1/fetch`. Neither call throws: every failure is one of the outcomes below. `upstreamMessage` is the
 * upstream's own text, sanitised (`upstream-message.ts`), for operators only; null if there is none.
 */
import type { SwapFailure, SwapLinks } from '../domain/swap-job.ts'

/** The input of a submit. Addresses are sent byte for byte. */
export interface SubmitRequest {
  readonly targetImage: string
  readonly swapImage: string
  readonly hookUrl: string
}

/** How a submit ended. `unknown` is the expensive case: the upstream may have accepted, and charged for, the job. */
export type SubmitOutcome =
  | { readonly kind: 'accepted'; readonly upstreamId: string }
  /** The upstream created no job. `transient`: the same submit may be accepted later. */
  | {
      readonly kind: 'refused'
      readonly httpStatus: number
      readonly transient: boolean
      readonly retryAfterMs: number | null
      readonly failure: SwapFailure
      readonly upstreamMessage: string | null
    }
  /** No byte of the request was written. */
  | { readonly kind: 'notSent'; readonly reason: string }
  /** `httpStatus` is null if there was no response. */
  | {
      readonly kind: 'unknown'
      readonly httpStatus: number | null
      readonly reason: string
      readonly upstreamMessage: string | null
    }

/** The result of a fetch of one job. */
export type FetchOutcome =
  | { readonly kind: 'unfinished'; readonly upstreamId: string; readonly word: string; readonly echo: Echo }
  | {
      readonly kind: 'succeeded'
      readonly upstreamId: string
      readonly word: string
      readonly echo: Echo
      readonly links: SwapLinks
      readonly quota: number | null
    }
  | {
      readonly kind: 'failed'
      readonly upstreamId: string
      readonly word: string
      readonly echo: Echo
      readonly failure: SwapFailure
      readonly upstreamMessage: string | null
    }
  /** No statement about the job: an error, a response that cannot be parsed, an id that the upstream does not know. */
  | {
      readonly kind: 'nothing'
      /** Null if there was no response. */
      readonly httpStatus: number | null
      readonly reason: string
      readonly upstreamMessage: string | null
      /** The upstream could not be reached, or is failing: the circuit breaker counts it. */
      readonly isDown: boolean
    }

/** The input as the upstream echoes it; null if it does not. Shows whether a job is ours. */
export interface Echo {
  readonly targetImage: string | null
  readonly swapImage: string | null
  readonly hookUrl: string | null
}

export interface Upstream {
  /** Sends one job, once. Never retries: the response may be lost after the upstream accepted the job. */
  submit(request: SubmitRequest): Promise<SubmitOutcome>
  /** Reads one job's status. Free of charge; may be repeated. */
  fetch(upstreamId: string): Promise<FetchOutcome>
  /** The upstream id that a hook's body names, or null. Only a fetch confirms that it is the job's. */
  readHookId(body: string): string | null
}
