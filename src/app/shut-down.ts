import { closeInOrder } from '../lib/async/closers.ts'

/** One step of a shutdown. */
export interface ShutdownStep {
  /** For the log. */
  readonly name: string
  readonly run: () => Promise<void> | void
}

/**
 * Runs the steps one after the other. A failed step does not prevent later ones.
 * @throws {AggregateError} with all failures, after the last step.
 */
export async function shutDown(steps: readonly ShutdownStep[], onStep: (name: string) => void): Promise<void> {
  await closeInOrder(
    steps.map(({ name, run }) => () => {
      onStep(name)
      return run()
    }),
  )
}
