/** Runs work that no caller awaits. Failures are reported, and a shutdown can wait for the work. */
export interface Background {
  run(what: string, work: () => Promise<unknown>): void
  /** Resolves when all work that is running at the time of the call has ended. */
  settled(): Promise<void>
}

export function createBackground(onFailure: (what: string, error: unknown) => void): Background {
  const running = new Set<Promise<void>>()
  return {
    run: (what, work) => {
      const task = (async () => {
        try {
          await work()
        } catch (error) {
          onFailure(what, error)
        }
      })()
      running.add(task)
      void task.finally(() => running.delete(task))
    },
    settled: async () => {
      await Promise.all(running)
    },
  }
}
