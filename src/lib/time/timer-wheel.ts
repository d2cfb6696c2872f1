/**
 * Does many things over and over, each about once in an interval and not all at once: one timer for all of them. A
 * turn that is added or put off comes at a random moment in the last sixth of the interval, so that what began
 * together does not stay together.
 */
export interface TimerWheel {
  /** Calls `act` once in each interval until the turn is stopped. It must not throw. */
  add(act: () => void): WheelTimer
  /** Ends every turn. */
  close(): void
}

export interface WheelTimer {
  /** The interval begins anew. */
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
    // An act may put itself off, never to this slot, or stop others.
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
