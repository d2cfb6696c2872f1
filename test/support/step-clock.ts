import { type Clock, systemClock } from '../../src/lib/time/clock.ts'

/** Creates a clock whose time changes only through `step`; delays take real time. */
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
