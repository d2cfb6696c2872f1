import type { Clock } from './clock.ts'

/** Sliding-window rate limiter: at most `perSecond` permits in any second; a second's worth may be taken at once. */
export interface RateLimiter {
  /** Takes a permit if one is free now. Resolves to whether it did. */
  tryTake(): Promise<boolean>
  /** Waits for a permit, first in, first out. Rejects if `signal` aborts first; the permit is then lost. */
  take(signal?: AbortSignal): Promise<void>
}

/** A sliding window: a permit is granted at least `windowMs` after the one that is `permits` before it. */
export interface RateWindow {
  readonly permits: number
  readonly windowMs: number
}

/** Converts a rate to a window. Below one per second the window is longer; above, the fraction is dropped. */
export function toRateWindow(perSecond: number): RateWindow {
  return perSecond < 1
    ? { permits: 1, windowMs: 1_000 / perSecond }
    : { permits: Math.floor(perSecond), windowMs: 1_000 }
}

export function createRateLimiter(perSecond: number, clock: Pick<Clock, 'now' | 'delay'>): RateLimiter {
  const { permits, windowMs } = toRateWindow(perSecond)
  /** Ring buffer of the start times of the last permits; the oldest is at `next`. */
  const beginsAt: number[] = Array.from({ length: permits }, () => -Infinity)
  let next = 0
  const freeAt = () => (beginsAt[next] ?? -Infinity) + windowMs
  const reserve = () => {
    const at = Math.max(clock.now(), freeAt())
    beginsAt[next] = at
    next = (next + 1) % permits
    return at
  }
  return {
    tryTake: async () => {
      if (freeAt() > clock.now()) return false
      reserve()
      return true
    },
    take: async (signal) => {
      const waitMs = reserve() - clock.now()
      if (waitMs > 0) await clock.delay(waitMs, signal)
    },
  }
}
