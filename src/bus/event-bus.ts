/**
 * Wake-ups between whoever changed a job and whoever waits for it. A wake-up carries no state and may be lost,
 * doubled or early: the versioned row is the truth, and a listener reads it.
 */
export interface EventBus {
  /** Tells every listener of the job, on any instance, that its row changed. Call it after the commit. */
  publish(jobId: string): void
  /** Calls `listener` on each wake-up until the returned function is called. The listener must not throw. */
  subscribe(jobId: string, listener: () => void): () => void
  /** Whether somebody on this instance listens to the job. */
  isWatched(jobId: string): boolean
}
