import { setTimeout as delay } from 'node:timers/promises'

/** Time as the program sees it: the only source of "now" and of waiting, so that a test can make it run fast. */
export interface Clock {
  /**
   * Epoch milliseconds: the wall's time when the process started, counted on steadily since. A wall clock that is set
   * meanwhile ends no lease and no deadline.
   */
  now(): number
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. Never keeps the process alive. */
  delay(ms: number, signal?: AbortSignal): Promise<void>
  /**
   * Calls `act` after `ms`, unless what it gives has been called before: a wait that usually ends early costs less so than
   * one that is aborted. Never keeps the process alive.
   */
  after(ms: number, act: () => void): () => void
}

/** The wall's time, epoch milliseconds: for what others compare with their clocks. It may jump. */
export function wallNow(): number {
  return Date.now()
}

const STARTED_AT = performance.timeOrigin

export const systemClock: Clock = {
  now: () => Math.floor(STARTED_AT + performance.now()),
  delay: async (ms, signal) => {
    await delay(ms, undefined, { ref: false, ...(signal ? { signal } : {}) })
  },
  after: (ms, act) => {
    const timer = setTimeout(act, ms).unref()
    return () => clearTimeout(timer)
  },
}
