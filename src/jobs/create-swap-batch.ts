import { requireScope, type Viewer } from '../auth/viewer.ts'
import { GatewayError } from '../domain/errors.ts'
import type { CreateSwap, CreateSwapOutcome } from './create-swap.ts'

export const MAX_BATCH_ITEMS = 100
/** Items that are under way at one time: each may wait for the upstream's answer. */
const AT_ONCE = 20

/** What became of one item. `failed`: it could not be recorded, nothing was sent; the same again may do. */
export type BatchItemOutcome = CreateSwapOutcome | { readonly kind: 'failed'; readonly message: string }

/**
 * Starts many swaps, each as if it came alone and in the order given: a bad one stops no other.
 * @param batchKey stands in for the keys of items that have none, each with its place.
 */
export type CreateSwapBatch = (
  viewer: Viewer,
  items: readonly Readonly<Record<string, unknown>>[],
  batchKey: string | null,
) => Promise<readonly BatchItemOutcome[]>

export function createCreateSwapBatch(createSwap: CreateSwap): CreateSwapBatch {
  return async (viewer, items, batchKey) => {
    requireScope(viewer, 'swap:write')
    const outcomes: BatchItemOutcome[] = []
    let next = 0
    const work = async () => {
      for (let n = next++; n < items.length; n = next++)
        outcomes[n] = await createOne(viewer, items[n] ?? {}, n, batchKey)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
    return outcomes
  }

  async function createOne(
    viewer: Viewer,
    item: Readonly<Record<string, unknown>>,
    n: number,
    batchKey: string | null,
  ): Promise<BatchItemOutcome> {
    try {
      const idempotencyKey = item['idempotencyKey'] ?? (batchKey === null ? null : `${batchKey} ${n}`)
      const outcome = await createSwap(viewer, { ...item, idempotencyKey })
      if (outcome.kind !== 'invalid') return outcome
      const issues = outcome.issues.map(({ path: [, ...below], ...issue }) => ({
        ...issue,
        path: ['input', 'items', String(n), ...below],
      }))
      return { kind: 'invalid', issues }
    } catch (error) {
      if (error instanceof GatewayError) return { kind: 'failed', message: error.message }
      throw error
    }
  }
}
