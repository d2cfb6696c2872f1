import { setMaxListeners } from 'node:events'
import type { Viewer } from '../../auth/viewer.ts'

/** The longest that one timer can wait. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Calls `onOver` when the viewer's time is over or its key is revoked, unless the returned function was called before. */
export function whenOver({ expiresAt, revoked }: Viewer, now: () => number, onOver: () => void): () => void {
  let timer: NodeJS.Timeout | undefined
  const wait = (until: number) => {
    const leftMs = until - now()
    if (leftMs <= 0) onOver()
    else timer = setTimeout(wait, Math.min(leftMs, LONGEST_TIMER_MS), until).unref()
  }
  if (expiresAt !== null) wait(expiresAt)
  if (revoked?.aborted) onOver()
  else if (revoked) {
    // One key, and as many streams as it has.
    setMaxListeners(0, revoked)
    revoked.addEventListener('abort', onOver)
  }
  return () => {
    clearTimeout(timer)
    revoked?.removeEventListener('abort', onOver)
  }
}
