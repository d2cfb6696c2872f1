import type { EventBus } from './event-bus.ts'

/** Wake-ups within one process. */
export function createMemoryBus(): EventBus {
  const ofJobs = createTopics()
  const ofTenants = createTopics()
  return {
    publish: ({ id, tenant }) => {
      ofJobs.ring(id)
      ofTenants.ring(tenant)
    },
    isWatched: ofJobs.has,
    subscribeJob: ofJobs.subscribe,
    subscribeTenant: ofTenants.subscribe,
  }
}

/** Listeners by key; a key without listeners is not kept. */
function createTopics() {
  const topics = new Map<string, Set<() => void>>()
  return {
    has: (key: string): boolean => topics.has(key),
    ring: (key: string): void => {
      for (const listener of topics.get(key) ?? []) listener()
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
