import type { Clock } from './clock.ts'

/** A wait that ends with its time, or as soon as somebody has news; news that came before the wait ends it at once. */
export interface WakeableDelay {
  /** Never rejects: whoever waits looks for itself why it ended. One wait at a time. */
  wait(ms: number): Promise<void>
  wake(): void
}

/** @param stopping ends every wait when it aborts. */
export function createWakeableDelay(clock: Clock, stopping: AbortSignal): WakeableDelay {
  let isWoken = false
  let waker: AbortController | null = null
  return {
    wait: async (ms) => {
      if (!isWoken) {
        waker = new AbortController()
        await clock.delay(ms, AbortSignal.any([stopping, waker.signal])).catch(() => null)
        waker = null
      }
      isWoken = false
    },
    wake: () => {
      isWoken = true
      waker?.abort()
    },
  }
}
