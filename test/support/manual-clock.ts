import type { Clock } from '../../src/lib/time/clock.ts'

/** Start time of a manual clock, 22:13:20 UTC. */
export const START = 1_700_000_000_000

interface Timer {
  readonly at: number
  readonly act: () => void
}

/** A clock for unit tests: time passes, and waits end, only through `advance`. */
export interface ManualClock extends Clock {
  /** Remaining time of each pending wait, shortest first. */
  readonly pendingMs: readonly number[]
  /** Advances the time, and ends each wait that is due, in order and at its own time. */
  advance(ms: number): void
  /** Resolves when at least `count` waits are pending. */
  untilPending(count?: number): Promise<void>
}

export function createManualClock(start: number = START): ManualClock {
  let now = start
  const timers = new Set<Timer>()
  let watchers: { readonly count: number; readonly resolve: () => void }[] = []

  const after = (ms: number, act: () => void) => {
    const timer = { at: now + Math.max(0, ms), act }
    timers.add(timer)
    for (const { count, resolve } of watchers) if (timers.size >= count) resolve()
    watchers = watchers.filter(({ count }) => timers.size < count)
    return () => {
      timers.delete(timer)
    }
  }

  const pending = () => [...timers].toSorted((one, other) => one.at - other.at)

  return {
    now: () => now,
    after,
    delay: async (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const abort = () => {
          cancel()
          reject(signal?.reason)
        }
        const cancel = after(ms, () => {
          signal?.removeEventListener('abort', abort)
          resolve()
        })
        signal?.addEventListener('abort', abort, { once: true })
      }),
    get pendingMs() {
      return pending().map(({ at }) => at - now)
    },
    advance: (ms) => {
      const end = now + ms
      for (let [next] = pending(); next && next.at <= end; [next] = pending()) {
        timers.delete(next)
        now = Math.max(now, next.at)
        next.act()
      }
      now = end
    },
    untilPending: async (count = 1) => {
      if (timers.size >= count) return
      await new Promise<void>((resolve) => {
        watchers.push({ count, resolve })
      })
    },
  }
}
