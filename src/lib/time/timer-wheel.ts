/**
 * Timer wheel: runs many periodic actions with one timer. An action that is added or reset first runs at a random
 * moment in the last sixth of the interval, so that actions added together spread out.
 */
export interface TimerWheel {
  /** Calls `act` once per interval until it is stopped. `act` must not throw. */
  add(act: () => void): WheelTimer
  /** Stops every action. */
  close(): void
}

export interface WheelTimer {
  /** Restarts the interval. */
  reset(): void
  stop(): void
}

const SLOTS = 60

/** @param random in [0, 1). */
export function createTimerWheel(intervalMs: number, random: () => number): TimerWheel {
  const slots = Array.from({ length: SLOTS }, () => new Set<() => void>())
  let current = 0
  const pickSlot = () => slots[(current + SLOTS - 1 - Math.floor((random() * SLOTS) / 6)) % SLOTS] ?? new Set()

  const timer = setInterval(() => {
    current = (current + 1) % SLOTS
    // Safe to iterate: an act may stop others, or reset itself, but never into this slot.
    for (const act of slots[current] ?? []) act()
  }, intervalMs / SLOTS)
  timer.unref()

  return {
    add: (act) => {
      let slot = pickSlot()
      slot.add(act)
      return {
        reset: () => {
          slot.delete(act)
          slot = pickSlot()
          slot.add(act)
        },
        stop: () => {
          slot.delete(act)
        },
      }
    },
    close: () => clearInterval(timer),
  }
}
