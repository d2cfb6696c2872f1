import type { EventBus } from '../../bus/event-bus.ts'
import type { Clock } from '../../lib/time/clock.ts'

/** Outcomes in a row that say "not reachable" before the upstream is left in peace. */
const FAILURES_TO_OPEN = 5
const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 30_000
/** No call takes longer: a probe that is not heard of again, another process's or our own, is none any more. */
const PROBE_ENDS_WITHIN_MS = 35_000

/**
 * Leaves an upstream that is down in peace: after five failures in a row, of all processes together, nothing is sent
 * for a pause, then one call at a time as a probe, until one succeeds. A submit that is held back costs nothing; one
 * that is sent into an outage may cost a swap that nobody can confirm.
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

/**
 * What processes tell each other as it happens. One that hears nothing has its own experience; one that cannot reach
 * the upstream where the others can is held back by that alone.
 */
const PEER_MESSAGES = ['failed', 'succeeded', 'probing', 'probe failed', 'probe abandoned'] as const
type PeerMessage = (typeof PEER_MESSAGES)[number]
const isPeerMessage = (word: string): word is PeerMessage => PEER_MESSAGES.some((message) => message === word)

/** @param random in [0, 1): spreads the probes of many processes. */
export function createUpstreamBreaker(
  bus: Pick<EventBus, 'publishToPeers' | 'subscribePeers'>,
  clock: Pick<Clock, 'now'>,
  random: () => number,
): UpstreamBreaker {
  /** In a row: this process's own, and those of all since anybody's last success. */
  let ownFailures = 0
  let failures = 0
  let pauseMs = 0
  let pausedUntil = 0
  let probesUntil = 0
  let peerProbesUntil = 0
  const isTripped = () => Math.max(ownFailures, failures) >= FAILURES_TO_OPEN
  const isProbing = () => clock.now() < probesUntil
  const isOpen = () => isTripped() && clock.now() < Math.max(pausedUntil, probesUntil, peerProbesUntil)
  const publish = (message: PeerMessage) => bus.publishToPeers(message)

  const recordFailure = (ofProbe: boolean) => {
    failures += 1
    // What was under way when the pause began says nothing new.
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
    // Another word is a newer version's.
    if (isPeerMessage(message)) onPeerMessage[message]()
  })

  return {
    isOpen,
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
