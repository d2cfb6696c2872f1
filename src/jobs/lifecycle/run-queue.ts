import type { InterruptibleDelay } from '../../lib/async/interruptible-delay.ts'
import type { Telemetry } from '../../telemetry/events.ts'
import type { Submitter } from './submit-swap.ts'

/** Polling interval for jobs that become due without a wake-up. */
const POLL_EVERY_MS = 500

export interface QueueRunnerParts {
  readonly submitter: Pick<Submitter, 'submitWaiting'>
  /** Woken when another job may be submitted. */
  readonly room: InterruptibleDelay
  readonly telemetry: Pick<Telemetry, 'backgroundFailed'>
  readonly stopping: AbortSignal
}

/** Submits waiting jobs as soon as the upstream has capacity. Resolves when `stopping` aborts. */
export async function runQueue({ submitter, room, telemetry, stopping }: QueueRunnerParts): Promise<void> {
  while (!stopping.aborted) {
    try {
      await submitter.submitWaiting()
    } catch (error) {
      telemetry.backgroundFailed('submit queued jobs', error)
    }
    await room.wait(POLL_EVERY_MS)
  }
}
