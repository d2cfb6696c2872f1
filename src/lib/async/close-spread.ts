const WINDOW_MS = 5_000
const STEP_MS = 50
/** So many are closed at once in any case. */
const LEAST_AT_ONCE = 50

/**
 * Closes many connections one after the other within five seconds, so that their clients do not all come back in the
 * same moment. Few are closed at once.
 */
export async function closeSpread<T>(connections: Iterable<T>, close: (connection: T) => void): Promise<void> {
  const open = [...connections]
  const atOnce = Math.max(LEAST_AT_ONCE, Math.ceil((open.length * STEP_MS) / WINDOW_MS))
  for (let next = 0; next < open.length; next += atOnce) {
    if (next > 0) {
      await new Promise((resolve) => {
        setTimeout(resolve, STEP_MS)
      })
    }
    for (const connection of open.slice(next, next + atOnce)) close(connection)
  }
}
