import { setMaxListeners } from 'node:events'
import type { Viewer } from '../../auth/viewer.ts'

/** The longest delay of a Node timer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * Calls `onOver` when the viewer's credential expires or is revoked: possibly before this returns, and possibly twice.
 * @returns a function that cancels the calls.
 */
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
    // One key may have any number of streams, and Node warns from eleven listeners on.
    setMaxListeners(0, revoked)
    revoked.addEventListener('abort', onOver)
  }
  return () => {
    clearTimeout(timer)
    revoked?.removeEventListener('abort', onOver)
  }
}
