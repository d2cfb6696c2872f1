import type { EventBus } from './event-bus.ts'

export interface MemoryBus extends EventBus {
  /** Notifies every listener. */
  notifyAll(): void
}

/** Wake-ups within one process. */
export function createMemoryBus(): MemoryBus {
  const ofJobs = createTopics()
  const ofTenants = createTopics()
  return {
    publish: ({ id, tenant }) => {
      ofJobs.notify(id)
      ofTenants.notify(tenant)
    },
    notifyAll: () => {
      ofJobs.notifyAll()
      ofTenants.notifyAll()
    },
    isWatched: ofJobs.has,
    subscribeJob: ofJobs.subscribe,
    subscribeTenant: ofTenants.subscribe,
    // A single process has no peers.
    publishToPeers: () => {},
    subscribePeers: () => {},
  }
}

/** Listeners by key; a key is removed with its last listener. */
function createTopics() {
  const topics = new Map<string, Set<() => void>>()
  const notify = (key: string): void => {
    for (const listener of topics.get(key) ?? []) listener()
  }
  return {
    has: (key: string): boolean => topics.has(key),
    notify,
    notifyAll: (): void => {
      for (const key of topics.keys()) notify(key)
    },
    subscribe: (key: string, listener: () => void): (() => void) => {
      const listeners = topics.get(key) ?? new Set()
      topics.set(key, listeners)
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
        if (listeners.size === 0 && topics.get(key) === listeners) topics.delete(key)
      }
    },
  }
}
