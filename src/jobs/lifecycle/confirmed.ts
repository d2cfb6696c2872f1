import type { SwapJob } from '../../domain/swap-job.ts'

/** The verdict of one fetch. */
export interface Confirmed {
  /** The job after it. */
  readonly job: SwapJob
  /** Whether the upstream made a statement about the job. */
  readonly isAnswered: boolean
  /** Whether the upstream answered at all, if only that it does not know the id. */
  readonly isReached: boolean
  /** Whether the id that the hook named is another job's. */
  readonly isForeign: boolean
}
