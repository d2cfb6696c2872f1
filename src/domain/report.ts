import type { ObservationSource, SwapFailure, SwapLinks, SwapRefusal } from './swap-job.ts'

/**
 * The content of a report about a job: a statement of the upstream, the absence of one, or the owner's cancellation. It
 * is parsed and bounded, but not trusted: `decide` determines what it may change.
 */
export type Finding =
  /** The response to the submit has an id. */
  | { readonly kind: 'accepted'; readonly upstreamId: string }
  /** The submit was certainly not accepted, and a retry would be refused too. */
  | { readonly kind: 'refused'; readonly failure: SwapFailure; readonly upstreamMessage?: string | null }
  /** The submit was certainly not accepted, and may be retried from `retryAt` on; no `refusal` if nothing was tried. */
  | { readonly kind: 'released'; readonly retryAt: number; readonly refusal?: SwapRefusal }
  /** It is unknown whether the submit was accepted. */
  | { readonly kind: 'unconfirmed' }
  /** A fetch says that the upstream has the job and is not finished; the gateway may not know its status `word`. */
  | { readonly kind: 'unfinished'; readonly upstreamId: string; readonly word: string }
  | {
      readonly kind: 'succeeded'
      readonly upstreamId: string
      readonly word: string
      readonly links: SwapLinks
      readonly quota: number | null
      /** The copy of the result, or why there will be none; both are null if that is not known yet. */
      readonly copyId: string | null
      readonly mirrorFailure: string | null
    }
  | {
      readonly kind: 'failed'
      readonly upstreamId: string
      readonly word: string
      readonly failure: SwapFailure
      readonly upstreamMessage?: string | null
    }
  /** The owner cancels the job. */
  | { readonly kind: 'canceled' }
  /** A fetch returned no statement about the job. */
  | { readonly kind: 'unanswered' }
  /**
   * The reconciler polled the job, which ends if its deadline has passed. `isAnswered` is false if the upstream did
   * not respond to the poll: the job then gets more time.
   */
  | { readonly kind: 'overdue'; readonly isAnswered: boolean }

/** One finding about one job, its source and its time. */
export interface Report {
  readonly source: ObservationSource
  readonly at: number
  /** The claim that the finding is about; a report about an older claim is void. */
  readonly fencing?: number
  readonly finding: Finding
}
