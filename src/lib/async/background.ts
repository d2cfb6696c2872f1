/** Runs work that no caller awaits. Failures are reported, and a shutdown can wait for the work. */
export interface Background {
  run(what: string, work: () => Promise<unknown>): void
  /** Resolves when no work is running, including work that other work has started meanwhile. */
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
      while (running.size > 0) await Promise.all(running)
    },
  }
}
