import { type Clock, systemClock } from '../../src/lib/time/clock.ts'

/** A clock that stands still until it is moved on; waits take as long as ever. */
export function createStepClock(): Clock & { step(ms: number): void } {
  let now = Date.now()
  return {
    ...systemClock,
    now: () => now,
    step: (ms) => {
      now += ms
    },
  }
}
