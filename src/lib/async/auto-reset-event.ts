import { type Clock, systemClock } from '../time/clock.ts'

/**
 * Auto-reset event: a notification ends one wait, and several notifications before a wait count as one. The waiter then
 * reads the newest state, so a slow waiter delays no other and always gets the current state.
 */
export interface AutoResetEvent {
  /** Never blocks, never throws. */
  notify(): void
  /**
   * Resolves to true when the event has been notified since the last wait, to false after `timeoutMs` or when the event
   * is closed. One wait at a time.
   */
  wait(timeoutMs: number): Promise<boolean>
  close(): void
}

/** @param after schedules the timeout of a wait. */
export function createAutoResetEvent(after: Clock['after'] = systemClock.after): AutoResetEvent {
  let isSet = false
  let closed = false
  let settle: ((woken: boolean) => void) | null = null
  let cancel: (() => void) | null = null

  const finish = (woken: boolean) => {
    cancel?.()
    const waiting = settle
    settle = null
    if (woken) isSet = false
    waiting?.(woken)
  }

  return {
    notify: () => {
      isSet = true
      if (settle) finish(true)
    },
    wait: async (timeoutMs) => {
      if (closed) return false
      if (isSet) {
        isSet = false
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
