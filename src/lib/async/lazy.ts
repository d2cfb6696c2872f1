/**
 * Memoises an async `load`: the first call runs it, all calls share its result. After a failure the next call retries.
 */
export function lazy<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | null = null
  return async () =>
    (loaded ??= load().catch((error: unknown) => {
      loaded = null
      throw error
    }))
}
