import type { Clock } from '../time/clock.ts'
import { createAutoResetEvent } from './auto-reset-event.ts'

/** A delay that `wake` ends early. A `wake` before the wait ends the next wait at once. */
export interface InterruptibleDelay {
  /** Never rejects; the caller checks itself why the wait ended. One wait at a time. */
  wait(ms: number): Promise<void>
  wake(): void
}

/** @param stopping its abort ends the wait in progress, and every later one at once. */
export function createInterruptibleDelay(clock: Pick<Clock, 'after'>, stopping: AbortSignal): InterruptibleDelay {
  const signal = createAutoResetEvent(clock.after)
  return {
    wait: async (ms) => {
      if (stopping.aborted) return
      stopping.addEventListener('abort', signal.close)
      await signal.wait(ms)
      stopping.removeEventListener('abort', signal.close)
    },
    wake: signal.notify,
  }
}
