import type { SwapJob } from '../../domain/swap-job.ts'

/** The result of one fetch. */
export interface Confirmed {
  /** The job after the fetch was applied. */
  readonly job: SwapJob
  /** Whether the upstream returned a status of the job. */
  readonly isAnswered: boolean
  /** Whether the upstream could be reached, even if it does not know the id. */
  readonly isReached: boolean
  /** Whether the id that the hook named belongs to another job. */
  readonly isForeign: boolean
}
