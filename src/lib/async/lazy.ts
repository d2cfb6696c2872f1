/**
 * A function that calls `load` the first time it is called and hands the same value out from then on. A load that fails
 * is tried again by the next call.
 */
export function lazy<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | null = null
  return async () =>
    (loaded ??= load().catch((error: unknown) => {
      loaded = null
      throw error
    }))
}
