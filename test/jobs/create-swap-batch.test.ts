import { expect, test } from 'vitest'
import { GatewayError } from '../../src/domain/errors.ts'
import type { CreateSwap } from '../../src/jobs/create-swap.ts'
import { type CreateSwapBatch, createSwapBatch as runBatch } from '../../src/jobs/create-swap-batch.ts'
import { createDeferred } from '../support/deferred.ts'
import { makeSwapJob } from '../support/jobs.ts'
import { viewerOf } from '../support/viewer.ts'

const WRITER = viewerOf('a', { scopes: ['swap:write'] })
const itemsOf = (count: number) => Array.from({ length: count }, (_unused, n) => ({ clientReference: `n${n}` }))

/** Runs a batch; `act` returns the outcome of the item at a position. */
function createBatch(act: (n: number) => Promise<void> | void = () => {}) {
  const inputs: Readonly<Record<string, unknown>>[] = []
  const createSwap: CreateSwap = async (_viewer, input) => {
    const given = input as Readonly<Record<string, unknown>>
    const n = inputs.push(given) - 1
    await act(n)
    return { kind: 'created', reused: 'NONE', job: makeSwapJob(0, { id: String(given['clientReference']) }) }
  }
  const createSwapBatch: CreateSwapBatch = async (...args) => runBatch(createSwap, ...args)
  return { createSwapBatch, inputs }
}

test('a batch returns outcomes in the order of its items, whichever finishes first', async () => {
  const first = createDeferred<void>()
  const { createSwapBatch, inputs } = createBatch((n) => (n === 0 ? first.promise : undefined))
  const creating = createSwapBatch(WRITER, itemsOf(30), null, 'request-1')
  while (inputs.length < 30) await Promise.resolve()
  first.resolve()
  const outcomes = await creating
  expect(outcomes.map((one) => (one.kind === 'created' ? one.job.id : one.kind))).toEqual(
    itemsOf(30).map(({ clientReference }) => clientReference),
  )
})

test('a batch processes at most twenty items at a time', async () => {
  const held = createDeferred<void>()
  const { createSwapBatch, inputs } = createBatch(async () => held.promise)
  const creating = createSwapBatch(WRITER, itemsOf(100), null, 'request-1')
  expect(inputs).toHaveLength(20)
  held.resolve()
  await creating
  expect(inputs).toHaveLength(100)
})

test('an item of a batch that cannot be recorded fails alone', async () => {
  const { createSwapBatch } = createBatch((n) => {
    if (n === 1) throw new GatewayError('UNAVAILABLE', 'The swap was not recorded.')
  })
  const outcomes = await createSwapBatch(WRITER, itemsOf(3), null, 'request-1')
  expect(outcomes.map(({ kind }) => kind)).toEqual(['created', 'failed', 'created'])
  expect(outcomes[1]).toEqual({ kind: 'failed', message: 'The swap was not recorded.' })
})

test('the paths of the issues of a batch item begin with its position', async () => {
  const issue = {
    path: ['input', 'targetImage', 'url'],
    code: 'REQUIRED',
    message: 'The URL must not be empty.',
  } as const
  const createSwap: CreateSwap = async () => ({ kind: 'invalid', issues: [issue] })
  const [, second] = await runBatch(createSwap, WRITER, itemsOf(2), null, 'request-1')
  expect(second).toEqual({
    kind: 'invalid',
    issues: [{ ...issue, path: ['input', 'items', '1', 'targetImage', 'url'] }],
  })
})

test('items without a key get one from the key of the batch and their position', async () => {
  const { createSwapBatch, inputs } = createBatch()
  await createSwapBatch(WRITER, [{}, { idempotencyKey: 'own' }, {}], 'batch', 'request-1')
  expect(inputs.map(({ idempotencyKey }) => idempotencyKey)).toEqual(['batch 0', 'own', 'batch 2'])
})

test('items without a key in a batch without a key have none', async () => {
  const { createSwapBatch, inputs } = createBatch()
  await createSwapBatch(WRITER, [{}], null, 'request-1')
  expect(inputs).toEqual([{ idempotencyKey: null }])
})

test('a batch is refused as a whole without the scope swap:write', async () => {
  const { createSwapBatch, inputs } = createBatch()
  await expect(createSwapBatch(viewerOf('a'), itemsOf(2), null, 'request-1')).rejects.toThrow('swap:write')
  expect(inputs).toEqual([])
})
