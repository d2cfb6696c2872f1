import type { Clock } from './clock.ts'

/** Lets things happen at most `perSecond` times in any second; a second's worth may happen at once. */
export interface RateLimiter {
  /** Takes a turn if one is free now; resolves to whether it did. */
  tryTake(): Promise<boolean>
  /** Resolves when it is this caller's turn: first come, first served. Rejects when `signal` aborts first. */
  take(signal?: AbortSignal): Promise<void>
}

/** A sliding window: of `turns` in a row, the first and the one after the last are at least `windowMs` apart. */
export interface RateWindow {
  readonly turns: number
  readonly windowMs: number
}

/** Below one a second the window is longer; above, a fraction is dropped. */
export function toRateWindow(perSecond: number): RateWindow {
  return perSecond < 1 ? { turns: 1, windowMs: 1_000 / perSecond } : { turns: Math.floor(perSecond), windowMs: 1_000 }
}

export function createRateLimiter(perSecond: number, clock: Pick<Clock, 'now' | 'delay'>): RateLimiter {
  const { turns, windowMs } = toRateWindow(perSecond)
  /** When the last turns begin, as a ring: the oldest is at `next`. */
  const beginsAt: number[] = Array.from({ length: turns }, () => -Infinity)
  let next = 0
  const freeAt = () => (beginsAt[next] ?? -Infinity) + windowMs
  const reserve = () => {
    const at = Math.max(clock.now(), freeAt())
    beginsAt[next] = at
    next = (next + 1) % turns
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
