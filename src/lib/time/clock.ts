import { setTimeout as delay } from 'node:timers/promises'

/** The program's only source of the current time and of delays, so that a test can replace it. */
export interface Clock {
  /**
   * Epoch milliseconds, monotonic: the wall-clock time at the start of the process plus the time since. Setting the
   * wall clock expires no lease and no deadline.
   */
  now(): number
  /** Resolves after `ms`; rejects if the signal aborts first. Never keeps the process alive. */
  delay(ms: number, signal?: AbortSignal): Promise<void>
  /**
   * Calls `act` after `ms`; the returned function cancels it. Cheaper than an aborted `delay` for waits that usually
   * end early. Never keeps the process alive.
   */
  after(ms: number, act: () => void): () => void
}

/** Wall-clock time in epoch milliseconds, for times that other systems compare with their clocks. It may jump. */
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
