import type { Clock } from './clock.ts'

/** Lets `perSecond` things happen each second, evenly once a second's worth has been used up at once. */
export interface Pacer {
  /** Takes a turn if one is free now; resolves to whether it did. */
  tryTake(): Promise<boolean>
  /** Resolves when it is this caller's turn: first come, first served. Rejects when `signal` aborts first. */
  take(signal?: AbortSignal): Promise<void>
}

export function createPacer(perSecond: number, clock: Pick<Clock, 'now' | 'delay'>): Pacer {
  const intervalMs = 1_000 / perSecond
  /** When the turn after the last one given begins; never further back than a second's worth of turns. */
  let nextAt = -Infinity
  const reserve = () => {
    nextAt = Math.max(nextAt, clock.now() - 1_000 + intervalMs) + intervalMs
    return nextAt - intervalMs
  }
  return {
    tryTake: async () => {
      if (nextAt > clock.now()) return false
      reserve()
      return true
    },
    take: async (signal) => {
      const waitMs = reserve() - clock.now()
      if (waitMs > 0) await clock.delay(waitMs, signal)
    },
  }
}
