/** Seconds between scheduled fetches of one job; the last one repeats. Hooks are fetched in addition. */
const INTERVALS_S = [2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 300] as const

/** Longest poll interval of a watched job, before jitter. */
export const WATCHED_EVERY_MS = 10_000

/** A FAILED is final only if a second fetch, at least this much later, confirms it. */
export const CONFIRM_FAILED_AFTER_MS = 2_000

/**
 * The delay before the next scheduled fetch of a job that was fetched `fetches` times already.
 * @param random in [0, 1): jitter of ±10 %, which spreads jobs that started together.
 * @param isWatched whether a caller is watching the job.
 */
export function nextFetchDelayMs(fetches: number, random: number, isWatched: boolean): number {
  const seconds = INTERVALS_S[Math.min(fetches, INTERVALS_S.length - 1)] ?? INTERVALS_S[0]
  const delayMs = isWatched ? Math.min(seconds * 1_000, WATCHED_EVERY_MS) : seconds * 1_000
  return Math.round(delayMs * (0.9 + 0.2 * random))
}
