/**
 * Close functions, called in the reverse order of their addition: resources opened later may use earlier ones.
 * A failure does not stop the rest. `closeAll` calls all of them, then throws the failures as one AggregateError.
 */
export interface Closers {
  add(close: Close): void
  closeAll(): Promise<void>
}

type Close = () => Promise<void> | void

export function createClosers(): Closers {
  const closers: Close[] = []
  return {
    add: (close) => {
      closers.push(close)
    },
    closeAll: async () => closeInOrder(takeFromEnd(closers)),
  }
}

/**
 * Calls the functions one after the other, because the order matters. A failure does not stop the rest.
 * @throws {AggregateError} with all failures, after the last function.
 */
export async function closeInOrder(closes: Iterable<Close>): Promise<void> {
  const failures: unknown[] = []
  for (const close of closes) {
    try {
      await close()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, 'some resources could not be closed')
}

function* takeFromEnd<T>(list: T[]): Generator<T> {
  for (let last = list.pop(); last !== undefined; last = list.pop()) yield last
}
