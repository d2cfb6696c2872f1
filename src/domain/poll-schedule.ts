/** Seconds between scheduled fetches of one job; the last repeats. Hooks only cut a wait short. */
const INTERVALS_S = [2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 300] as const

/** While somebody watches a job its next look is never further away than this. */
export const WATCHED_EVERY_MS = 10_000

/** A FAILED is final only when a second fetch, this much later, agrees. */
export const CONFIRM_FAILED_AFTER_MS = 2_000

/**
 * How long to wait before the next scheduled fetch of a job that was fetched `fetches` times already.
 * @param random in [0, 1): spreads jobs that were started together by ±10 %.
 * @param isWatched whether somebody waits for the job right now.
 */
export function nextFetchDelayMs(fetches: number, random: number, isWatched: boolean): number {
  const seconds = INTERVALS_S[Math.min(fetches, INTERVALS_S.length - 1)] ?? INTERVALS_S[0]
  const delayMs = isWatched ? Math.min(seconds * 1_000, WATCHED_EVERY_MS) : seconds * 1_000
  return Math.round(delayMs * (0.9 + 0.2 * random))
}
