import type { Clock } from '../time/clock.ts'
import { createAutoResetEvent } from './auto-reset-event.ts'

/** A wait that ends with its time, or as soon as somebody has news; news that came before the wait ends it at once. */
export interface InterruptibleDelay {
  /** Never rejects: whoever waits looks for itself why it ended. One wait at a time. */
  wait(ms: number): Promise<void>
  wake(): void
}

/** @param stopping ends every wait when it aborts. */
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
