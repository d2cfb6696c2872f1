import { setTimeout as delay } from 'node:timers/promises'
import { type Clock, systemClock } from '../../src/lib/time/clock.ts'

/** Creates a clock that runs `factor` times as fast as the wall clock, so that schedules of minutes take seconds. */
export function createFastClock(factor: number): Clock {
  const start = Date.now()
  return {
    now: () => Math.floor(start + (Date.now() - start) * factor),
    after: (ms, act) => systemClock.after(ms / factor, act),
    delay: async (ms, signal) => {
      await delay(ms / factor, undefined, { ref: false, ...(signal && { signal }) })
    },
  }
}
