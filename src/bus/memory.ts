import type { EventBus } from './event-bus.ts'

/** Wake-ups within one process. */
export function createMemoryBus(): EventBus {
  const listeners = new Map<string, Set<() => void>>()
  return {
    publish: (jobId) => {
      for (const listener of listeners.get(jobId) ?? []) listener()
    },
    isWatched: (jobId) => listeners.has(jobId),
    subscribe: (jobId, listener) => {
      const ofJob = listeners.get(jobId) ?? new Set()
      listeners.set(jobId, ofJob)
      ofJob.add(listener)
      return () => {
        ofJob.delete(listener)
        if (ofJob.size === 0 && listeners.get(jobId) === ofJob) listeners.delete(jobId)
      }
    },
  }
}
