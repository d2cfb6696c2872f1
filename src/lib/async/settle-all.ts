/**
 * Like `Promise.all`, but rejects only after every promise has settled, so that nothing is still running then.
 * The reason is that of the first rejection.
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
