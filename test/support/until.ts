import { setTimeout as delay } from 'node:timers/promises'

type Truthy<T> = Exclude<T, null | undefined | false | 0 | ''>

/**
 * Polls `condition` every `everyMs` (20) and resolves with its first truthy value. Rejects after `timeoutMs` (50,000: a
 * limit for a busy machine, never an expectation), or if `condition` throws.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 50_000, everyMs = 20 }: { timeoutMs?: number; everyMs?: number } = {},
): Promise<Truthy<T>> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    // Polls are sequential.
    // oxlint-disable-next-line no-await-in-loop
    const value = await condition()
    if (isTruthy(value)) return value
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${condition.toString()}`)
    // oxlint-disable-next-line no-await-in-loop
    await delay(everyMs)
  }
}

function isTruthy<T>(value: T): value is Truthy<T> {
  return Boolean(value)
}
