import { requireScope, type Viewer } from '../auth/viewer.ts'
import { GatewayError } from '../domain/errors.ts'
import type { CreateSwap, CreateSwapOutcome } from './create-swap.ts'

export const MAX_BATCH_ITEMS = 100
/** Items processed concurrently: each may wait for the upstream's response. */
const AT_ONCE = 20

/** The outcome of one item. `failed`: it could not be recorded, and nothing was sent; a retry may succeed. */
export type BatchItemOutcome = CreateSwapOutcome | { readonly kind: 'failed'; readonly message: string }

/** `createSwapBatch`, bound to its `createSwap`. */
export type CreateSwapBatch = (
  viewer: Viewer,
  items: readonly Readonly<Record<string, unknown>>[],
  batchKey: string | null,
  requestId: string,
) => Promise<readonly BatchItemOutcome[]>

/**
 * Creates many swaps and returns their outcomes in the order of `items`. A failed item does not stop the rest.
 * @param batchKey combined with an item's index, it is the idempotency key of items that have none.
 */
export async function createSwapBatch(
  createSwap: CreateSwap,
  viewer: Viewer,
  items: readonly Readonly<Record<string, unknown>>[],
  batchKey: string | null,
  requestId: string,
): Promise<readonly BatchItemOutcome[]> {
  requireScope(viewer, 'swap:write')
  const outcomes: BatchItemOutcome[] = []
  let next = 0
  const work = async () => {
    for (let n = next++; n < items.length; n = next++)
      outcomes[n] = await createOne(
        async (item) => createSwap(viewer, item, { requestId }),
        withKey(items[n] ?? {}, n, batchKey),
        n,
      )
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return outcomes
}

function withKey(item: Readonly<Record<string, unknown>>, n: number, batchKey: string | null) {
  return { ...item, idempotencyKey: item['idempotencyKey'] ?? (batchKey === null ? null : `${batchKey} ${n}`) }
}

async function createOne(
  create: (item: unknown) => Promise<CreateSwapOutcome>,
  item: Readonly<Record<string, unknown>>,
  n: number,
): Promise<BatchItemOutcome> {
  try {
    const outcome = await create(item)
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
