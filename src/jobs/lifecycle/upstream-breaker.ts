import type { EventBus } from '../../bus/event-bus.ts'
import type { Clock } from '../../lib/time/clock.ts'

/** Consecutive failures that open the breaker. */
const FAILURES_TO_OPEN = 5
const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 30_000
/** Longer than any call takes. A probe without an outcome by then, of any process, is ignored. */
const PROBE_ENDS_WITHIN_MS = 35_000

/**
 * Circuit breaker shared by all processes: opens after five consecutive failures, then lets one probe at a time through
 * until one succeeds. A delayed submit costs nothing; a submit during an outage may cost a swap that cannot be
 * confirmed.
 */
export interface UpstreamBreaker {
  /** Whether a call may be made now. If so, the caller must report its outcome, or that it was abandoned. */
  tryPass(): boolean
  /** Whether `tryPass` would return false now. */
  isOpen(): boolean
  /** When the next call is let through, if the breaker is open; null if it is not. */
  nextPassAt(): number | null
  /** Whether the last known state of the upstream is down; the next call is then a probe. */
  isTripped(): boolean
  succeeded(): void
  failed(): void
  abandoned(): void
}

/**
 * Messages between processes. Without them a process relies on its own calls. A peer's success does not reset a
 * process's own failures, so only a process that cannot reach the upstream stays tripped.
 */
const PEER_MESSAGES = ['failed', 'succeeded', 'probing', 'probe failed', 'probe abandoned'] as const
type PeerMessage = (typeof PEER_MESSAGES)[number]
const isPeerMessage = (word: string): word is PeerMessage => PEER_MESSAGES.some((message) => message === word)

/** @param random in [0, 1): jitter that spreads the probes of many processes. */
export function createUpstreamBreaker(
  bus: Pick<EventBus, 'publishToPeers' | 'subscribePeers'>,
  clock: Pick<Clock, 'now'>,
  random: () => number,
): UpstreamBreaker {
  /** Consecutive failures: of this process, and of all processes. */
  let ownFailures = 0
  let failures = 0
  let pauseMs = 0
  let pausedUntil = 0
  let probesUntil = 0
  let peerProbesUntil = 0
  const isTripped = () => Math.max(ownFailures, failures) >= FAILURES_TO_OPEN
  const isProbing = () => clock.now() < probesUntil
  const nextPassAt = () => {
    const at = Math.max(pausedUntil, probesUntil, peerProbesUntil)
    return isTripped() && clock.now() < at ? at : null
  }
  const isOpen = () => nextPassAt() !== null
  const publish = (message: PeerMessage) => bus.publishToPeers(message)

  const recordFailure = (ofProbe: boolean) => {
    failures += 1
    // Calls that began before the pause say nothing new.
    if (!isTripped() || (!ofProbe && clock.now() < pausedUntil)) return
    pauseMs = Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, pauseMs * 2))
    pausedUntil = clock.now() + pauseMs * (0.75 + 0.5 * random())
  }
  const recordSuccess = () => {
    failures = 0
    pauseMs = 0
    pausedUntil = 0
    peerProbesUntil = 0
  }

  const onPeerMessage: Record<PeerMessage, () => void> = {
    failed: () => recordFailure(false),
    succeeded: recordSuccess,
    probing: () => {
      peerProbesUntil = clock.now() + PROBE_ENDS_WITHIN_MS
    },
    'probe failed': () => {
      peerProbesUntil = 0
      recordFailure(true)
    },
    'probe abandoned': () => {
      peerProbesUntil = 0
    },
  }
  bus.subscribePeers((message) => {
    // Messages of newer versions are ignored.
    if (isPeerMessage(message)) onPeerMessage[message]()
  })

  return {
    isOpen,
    nextPassAt,
    isTripped,
    tryPass: () => {
      if (isOpen()) return false
      if (isTripped()) {
        probesUntil = clock.now() + PROBE_ENDS_WITHIN_MS
        publish('probing')
      }
      return true
    },
    succeeded: () => {
      if (failures > 0) publish('succeeded')
      ownFailures = 0
      probesUntil = 0
      recordSuccess()
    },
    abandoned: () => {
      if (isProbing()) publish('probe abandoned')
      probesUntil = 0
    },
    failed: () => {
      const ofProbe = isProbing()
      publish(ofProbe ? 'probe failed' : 'failed')
      ownFailures += 1
      probesUntil = 0
      recordFailure(ofProbe)
    },
  }
}
