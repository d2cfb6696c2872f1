import { once } from 'node:events'
import type { Clock } from '../../src/lib/time/clock.ts'

/** Tells the time, but never lets a wait end: nothing that is scheduled happens after its first time. */
export const stillClock: Clock = {
  now: () => Date.now(),
  delay: async (_ms, signal = new AbortController().signal) => {
    if (!signal.aborted) await once(signal, 'abort')
    throw signal.reason
  },
  after: () => () => {},
}
