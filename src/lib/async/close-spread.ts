const WINDOW_MS = 5_000
const STEP_MS = 50
/** Minimum batch size. */
const LEAST_AT_ONCE = 50

/**
 * Closes connections in batches spread over five seconds, so that their clients do not all reconnect at the same
 * moment. Up to 50 connections are closed at once.
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
