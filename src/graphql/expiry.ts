import type { Viewer } from '../auth/viewer.ts'

/** The longest that one timer can wait. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Calls `onExpired` when the viewer's time is over, unless the returned function was called before. */
export function afterExpiry({ expiresAt }: Viewer, now: () => number, onExpired: () => void): () => void {
  let timer: NodeJS.Timeout | undefined
  const wait = (until: number) => {
    const leftMs = until - now()
    if (leftMs <= 0) onExpired()
    else timer = setTimeout(wait, Math.min(leftMs, LONGEST_TIMER_MS), until).unref()
  }
  if (expiresAt !== null) wait(expiresAt)
  return () => clearTimeout(timer)
}
