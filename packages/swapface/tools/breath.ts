import { setImmediate } from 'node:timers/promises'

/** Returns a function that yields to the event loop if `forMs` have passed since the last yield; for long loops. */
export function createBreath(forMs = 6): () => Promise<void> {
  let since = performance.now()
  return async () => {
    if (performance.now() - since < forMs) return
    await setImmediate()
    since = performance.now()
  }
}
