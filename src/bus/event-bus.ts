/**
 * Wake-ups from a process that changed a job to the listeners of all processes. A wake-up carries no state and may be
 * lost, duplicated or early: the versioned row is the truth, and a listener reads it.
 */
export interface EventBus {
  /** Notifies all listeners of the job and of its tenant, in every process. Call it after the commit. */
  publish(job: { readonly id: string; readonly tenant: string }): void
  /**
   * Calls `listener` on each wake-up of the job, until the returned function is called. The listener must not throw.
   */
  subscribeJob(jobId: string, listener: () => void): () => void
  /** The same for all jobs of a tenant. */
  subscribeTenant(tenant: string, listener: () => void): () => void
  /** Whether this process has a listener for the job. */
  isWatched(jobId: string): boolean
  /** Sends a message to the other processes, at most once. No state may depend on it. */
  publishToPeers(message: string): void
  /** Calls `listener` with each message from another process. The listener must not throw. */
  subscribePeers(listener: (message: string) => void): void
}
