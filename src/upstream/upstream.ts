/**
 * What the gateway asks of its upstream. Source: the SwapFace v1 reference, `POST /insightFace/v1/swap` and
 * `/insightFace/v1/fetch`. Neither call throws: whatever the wire did is one of the outcomes below.
 */
import type { SwapFailure, SwapLinks } from '../domain/swap-job.ts'

/** What is sent; every address byte for byte. */
export interface SubmitRequest {
  readonly targetImage: string
  readonly swapImage: string
  readonly hookUrl: string
}

/** How a submit ended. `unknown` is the dear one: the upstream may have taken the job, and may charge. */
export type SubmitOutcome =
  | { readonly kind: 'accepted'; readonly upstreamId: string }
  /** A sure no: nothing was made. `transient` where the same submit may be accepted later. */
  | {
      readonly kind: 'refused'
      readonly transient: boolean
      readonly retryAfterMs: number | null
      readonly failure: SwapFailure
    }
  /** No byte of the request was written. */
  | { readonly kind: 'notSent'; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string }

/** What a fetch brought, about the job it asked for. */
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
    }
  /** No statement about the job: an error, an answer that cannot be read, an id the upstream does not know. */
  | {
      readonly kind: 'nothing'
      readonly reason: string
      /** The upstream was not reached, or is out of order: worth leaving in peace. */
      readonly isDown: boolean
    }

/** What the upstream says it was sent; null where it does not say. Tells whether a job is ours. */
export interface Echo {
  readonly targetImage: string | null
  readonly swapImage: string | null
  readonly hookUrl: string | null
}

export interface Upstream {
  /** Sends one job, once. Never retried in here: the answer may be lost after the job was made. */
  submit(request: SubmitRequest): Promise<SubmitOutcome>
  /** Reads one job's status. Free of charge, may be repeated. */
  fetch(upstreamId: string): Promise<FetchOutcome>
  /** The upstream id that a hook's body names, or null. A hint: whether it is the job's is for a fetch to say. */
  readHookId(body: string): string | null
}
