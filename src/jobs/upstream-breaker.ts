import type { Clock } from '../lib/clock.ts'

/** Outcomes in a row that say "not reachable" before the upstream is left in peace. */
const FAILURES_TO_OPEN = 5
const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 30_000

/**
 * Leaves an upstream that is down in peace: after five failures in a row nothing is sent for a pause, then one call
 * at a time as a probe, until one succeeds. A submit that is held back costs nothing; one that is sent into an outage
 * may cost a swap that nobody can confirm.
 */
export interface UpstreamBreaker {
  /** Whether a call may be made now. One that was let through must report how it went, or that it was not made. */
  tryPass(): boolean
  /** Whether nothing would be let through now. */
  isOpen(): boolean
  /** Whether the upstream was down when it was last heard of: what is let through now is a probe. */
  isTripped(): boolean
  succeeded(): void
  failed(): void
  abandoned(): void
}

/** @param random in [0, 1): spreads the probes of many processes. */
export function createUpstreamBreaker(clock: Pick<Clock, 'now'>, random: () => number): UpstreamBreaker {
  let failures = 0
  let pauseMs = 0
  let pausedUntil = 0
  let isProbing = false
  const isTripped = () => failures >= FAILURES_TO_OPEN
  const isOpen = () => isTripped() && (isProbing || clock.now() < pausedUntil)

  return {
    isOpen,
    isTripped,
    tryPass: () => {
      if (isOpen()) return false
      isProbing = isTripped()
      return true
    },
    succeeded: () => {
      failures = 0
      pauseMs = 0
      isProbing = false
    },
    abandoned: () => {
      isProbing = false
    },
    failed: () => {
      failures += 1
      isProbing = false
      if (!isTripped()) return
      pauseMs = Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, pauseMs * 2))
      pausedUntil = clock.now() + pauseMs * (0.75 + 0.5 * random())
    },
  }
}
