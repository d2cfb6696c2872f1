import type { InterruptibleDelay } from '../../lib/async/interruptible-delay.ts'
import type { Telemetry } from '../../telemetry/events.ts'
import type { Submitter } from './submit-swap.ts'

/** How long a waiting job may be overlooked when its time has come and nobody has rung. */
const LOOK_EVERY_MS = 500

export interface QueueRunnerParts {
  readonly submitter: Pick<Submitter, 'submitWaiting'>
  /** Rung when there may be room upstream. */
  readonly room: InterruptibleDelay
  readonly telemetry: Pick<Telemetry, 'backgroundFailed'>
  readonly stopping: AbortSignal
}

/** Submits waiting jobs as soon as there is room, until `stopping` aborts; resolves then. */
export async function runQueue({ submitter, room, telemetry, stopping }: QueueRunnerParts): Promise<void> {
  while (!stopping.aborted) {
    try {
      await submitter.submitWaiting()
    } catch (error) {
      telemetry.backgroundFailed('submit queued jobs', error)
    }
    await room.wait(LOOK_EVERY_MS)
  }
}
