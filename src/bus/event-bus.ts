/**
 * Wake-ups between whoever changed a job and whoever waits for it. A wake-up carries no state and may be lost,
 * doubled or early: the versioned row is the truth, and a listener reads it.
 */
export interface EventBus {
  /** Tells every listener of the job and of its tenant, on any instance, that its row changed. Call it after the commit. */
  publish(job: { readonly id: string; readonly tenant: string }): void
  /** Calls `listener` on each wake-up of the job until the returned function is called. The listener must not throw. */
  subscribeJob(jobId: string, listener: () => void): () => void
  /** The same for every job of a tenant. */
  subscribeTenant(tenant: string, listener: () => void): () => void
  /** Whether somebody on this instance listens to the job. */
  isWatched(jobId: string): boolean
  /** Tells the other instances that can be reached now: a word that no state depends on. */
  publishToPeers(message: string): void
  /** Calls `listener` with each word that another instance tells. The listener must not throw. */
  subscribePeers(listener: (message: string) => void): void
}
