import { once } from 'node:events'
import type { Clock } from '../../src/lib/time/clock.ts'

/** Real time, but delays never end: scheduled work runs only once. */
export const stillClock: Clock = {
  now: () => Date.now(),
  delay: async (_ms, signal = new AbortController().signal) => {
    if (!signal.aborted) await once(signal, 'abort')
    throw signal.reason
  },
  after: () => () => {},
}
