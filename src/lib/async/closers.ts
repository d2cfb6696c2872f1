/**
 * Close functions, called in the reverse order of their addition: resources opened later may use earlier ones.
 * A failure does not stop the rest. `closeAll` calls all of them, then throws the failures as one AggregateError.
 */
export interface Closers {
  add(close: () => Promise<void> | void): void
  closeAll(): Promise<void>
}

export function createClosers(): Closers {
  const closers: (() => Promise<void> | void)[] = []
  return {
    add: (close) => {
      closers.push(close)
    },
    closeAll: async () => {
      const failures: unknown[] = []
      for (let close = closers.pop(); close; close = closers.pop()) {
        try {
          // Sequential, because the order matters.
          await close()
        } catch (error) {
          failures.push(error)
        }
      }
      if (failures.length > 0) throw new AggregateError(failures, 'not everything could be closed')
    },
  }
}
