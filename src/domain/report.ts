import type { ObservationSource, SwapFailure, SwapLinks } from './swap-job.ts'

/**
 * What a report says: one statement of the upstream about a job, or the plain fact that it made none.
 * Parsed and bounded, but not yet believed: `decide` says what it may change.
 */
export type Finding =
  /** The submit was answered with an id. */
  | { readonly kind: 'accepted'; readonly upstreamId: string }
  /** The submit was surely not accepted, and the same submit would be refused again. */
  | { readonly kind: 'refused'; readonly failure: SwapFailure }
  /** The submit was surely not accepted, and may be sent again from `retryAt` on. */
  | { readonly kind: 'released'; readonly retryAt: number }
  /** Nobody knows whether the submit was accepted. */
  | { readonly kind: 'unconfirmed' }
  /** A fetch says that the upstream has the job and is not finished; `word` is its status, known to us or not. */
  | { readonly kind: 'unfinished'; readonly upstreamId: string; readonly word: string }
  | {
      readonly kind: 'succeeded'
      readonly upstreamId: string
      readonly word: string
      readonly links: SwapLinks
      readonly quota: number | null
      /** The copy that was made of the result meanwhile, or why there will be none; null where that is not known yet. */
      readonly copyId: string | null
      readonly mirrorFailure: string | null
    }
  | { readonly kind: 'failed'; readonly upstreamId: string; readonly word: string; readonly failure: SwapFailure }
  /** The owner wants it stopped. */
  | { readonly kind: 'canceled' }
  /** A fetch brought no statement about the job. */
  | { readonly kind: 'unanswered' }
  /**
   * The deadline is over. `isAnswered`: the last look brought no outcome. If the upstream could not be reached for it,
   * the job is given a while longer.
   */
  | { readonly kind: 'overdue'; readonly isAnswered: boolean }

/** One finding about one job, how it came, and when. */
export interface Report {
  readonly source: ObservationSource
  readonly at: number
  /** Set by a submitter: the claim under which it speaks. */
  readonly fencing?: number
  readonly finding: Finding
}
