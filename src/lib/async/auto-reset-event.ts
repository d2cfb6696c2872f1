import { type Clock, systemClock } from '../time/clock.ts'

/**
 * A mailbox with one slot and no content: however often it is rung before somebody looks, one look answers all.
 * Whoever waits reads the newest state afterwards, so a slow reader holds nothing back and misses nothing that is
 * still true.
 */
export interface AutoResetEvent {
  /** Never blocks, never throws. */
  notify(): void
  /**
   * Resolves to true once it was rung since the last wait, to false after `timeoutMs` or when it is closed.
   * One wait at a time.
   */
  wait(timeoutMs: number): Promise<boolean>
  close(): void
}

/** @param after what times a wait. */
export function createAutoResetEvent(after: Clock['after'] = systemClock.after): AutoResetEvent {
  let rung = false
  let closed = false
  let settle: ((woken: boolean) => void) | null = null
  let cancel: (() => void) | null = null

  const finish = (woken: boolean) => {
    cancel?.()
    const waiting = settle
    settle = null
    if (woken) rung = false
    waiting?.(woken)
  }

  return {
    notify: () => {
      rung = true
      if (settle) finish(true)
    },
    wait: async (timeoutMs) => {
      if (closed) return false
      if (rung) {
        rung = false
        return true
      }
      return new Promise((resolve) => {
        settle = resolve
        cancel = after(timeoutMs, () => finish(false))
      })
    },
    close: () => {
      closed = true
      if (settle) finish(false)
    },
  }
}
