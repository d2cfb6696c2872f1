/**
 * Like `Promise.all`, but it rejects only once every promise has settled: when it does, nothing is still running.
 * The reason is that of the first failure.
 */
export async function settleAll<const T extends readonly unknown[]>(
  promises: T,
): Promise<{ -readonly [N in keyof T]: Awaited<T[N]> }> {
  try {
    return await Promise.all(promises)
  } catch (error) {
    await Promise.allSettled(promises)
    throw error
  }
}
