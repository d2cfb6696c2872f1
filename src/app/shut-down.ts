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
  const failures: unknown[] = []
  for (const { name, run } of steps) {
    onStep(name)
    try {
      // One after the other: a step may use what a later one closes.
      await run()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, 'not everything could be closed')
}
