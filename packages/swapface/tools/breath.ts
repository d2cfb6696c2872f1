import { setImmediate } from 'node:timers/promises'

/** Lets the event loop turn when `forMs` have passed since it last could; for long loops between their rows. */
export function createBreath(forMs = 6): () => Promise<void> {
  let since = performance.now()
  return async () => {
    if (performance.now() - since < forMs) return
    await setImmediate()
    since = performance.now()
  }
}
