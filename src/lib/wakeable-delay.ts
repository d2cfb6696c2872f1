import type { Clock } from './clock.ts'

/** A wait that ends with its time, or as soon as somebody has news; news that came before the wait ends it at once. */
export interface WakeableDelay {
  /** Never rejects: whoever waits looks for itself why it ended. One wait at a time. */
  wait(ms: number): Promise<void>
  wake(): void
}

/** @param stopping ends every wait when it aborts. */
export function createWakeableDelay(clock: Pick<Clock, 'after'>, stopping: AbortSignal): WakeableDelay {
  let isWoken = false
  let end: (() => void) | null = null

  const sleep = async (ms: number) =>
    new Promise<void>((resolve) => {
      const cancel = clock.after(ms, () => end?.())
      end = () => {
        cancel()
        stopping.removeEventListener('abort', wake)
        end = null
        resolve()
      }
      stopping.addEventListener('abort', wake)
    })
  const wake = () => {
    isWoken = true
    end?.()
  }

  return {
    wait: async (ms) => {
      if (!isWoken && !stopping.aborted) await sleep(ms)
      isWoken = false
    },
    wake,
  }
}
