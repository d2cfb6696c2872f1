import type { Clock } from './clock.ts'

/** Keeps things that have a name apart in time: each at least `spacingMs` after it was last noted. */
export interface Spacing {
  /** How long to wait, in milliseconds; 0 where it may be now. */
  leftMs(name: string): number
  note(name: string): void
}

export function createSpacing(spacingMs: number, clock: Pick<Clock, 'now'>): Spacing {
  /** What was noted since `beganAt`, and before it; what is older than both is long over, and dropped as a whole. */
  let recent = new Map<string, number>()
  let earlier = new Map<string, number>()
  let beganAt = clock.now()
  return {
    leftMs: (name) => {
      const last = recent.get(name) ?? earlier.get(name)
      return last === undefined ? 0 : Math.max(0, last + spacingMs - clock.now())
    },
    note: (name) => {
      const now = clock.now()
      if (now - beganAt >= spacingMs) {
        earlier = recent
        recent = new Map()
        beganAt = now
      }
      recent.set(name, now)
    },
  }
}
