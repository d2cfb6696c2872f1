const FIRST_MS = 1_000
const LONGEST_MS = 60_000
const SHORTEST_MS = 250

/**
 * Returns the delay before attempt `attempt + 1`: exponential backoff with full jitter, from 250 ms to about a minute.
 * @param attempt counts from 1.
 * @param random in [0, 1).
 */
export function retryDelayMs(attempt: number, random: number): number {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt - 1, 16))
  return SHORTEST_MS + Math.round(ceiling * random)
}
