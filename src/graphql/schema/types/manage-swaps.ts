import { MAX_BATCH_ITEMS } from '../../../jobs/create-swap-batch.ts'
import { builder } from '../builder.ts'
import { declareCacheable } from '../cacheable.ts'
import { countMembers, declareCost } from '../field-cost.ts'
import { CreateSwapInput, CreateSwapResult, toResult } from './create-swap.ts'
import {
  createJobResult,
  SwapInvalidInputError,
  SwapRateLimitedError,
  toInvalidInput,
  toNotFound,
  toWrongState,
} from './errors.ts'

const CreateSwapBatchInput = builder.inputType('CreateSwapBatchInput', {
  fields: (t) => ({ items: t.field({ type: [CreateSwapInput], required: true }) }),
})

type Item = ReturnType<typeof toResult>

const CreateSwapBatchSuccess = builder
  .objectRef<{ readonly items: readonly Item[] }>('CreateSwapBatchSuccess')
  .implement({
    extensions: declareCacheable('never'),
    fields: (t) => ({
      items: t.field({
        type: [CreateSwapResult],
        description: 'One result per item, in the order of the items.',
        extensions: declareCost({ listSize: { assumedSize: MAX_BATCH_ITEMS } }),
        resolve: ({ items }, _args, { spread }) => spread(items),
      }),
    }),
  })

const CreateSwapBatchResult = builder.unionType('CreateSwapBatchResult', {
  types: [CreateSwapBatchSuccess, SwapInvalidInputError, SwapRateLimitedError],
  resolveType: (value) => {
    if ('items' in value) return CreateSwapBatchSuccess
    return 'issues' in value ? SwapInvalidInputError : SwapRateLimitedError
  },
})

builder.mutationField('createSwapBatch', (t) =>
  t.field({
    type: CreateSwapBatchResult,
    description: 'Starts up to 100 swaps. An item that fails does not affect the others.',
    extensions: declareCost({
      // Capped, because the resolver refuses a larger batch with SwapInvalidInputError.
      sizeOf: (args) => Math.min(countMembers(args, 'input', 'items') ?? 0, MAX_BATCH_ITEMS),
      sizedFields: ['items'],
      nodes: 'size',
    }),
    args: { input: t.arg({ type: CreateSwapBatchInput, required: true }) },
    resolve: async (_root, { input: { items } }, { viewer, idempotencyKey, requestId, useCases }) => {
      if (items.length < 1 || items.length > MAX_BATCH_ITEMS) {
        const message = `A batch must have 1 to ${MAX_BATCH_ITEMS} items.`
        const code = items.length < 1 ? ('REQUIRED' as const) : ('TOO_MANY' as const)
        return toInvalidInput([{ path: ['input', 'items'], code, message }])
      }
      const outcomes = await useCases.createSwapBatch(viewer, items, idempotencyKey, requestId)
      return { items: outcomes.map((outcome) => toResult(outcome, useCases.now())) }
    },
  }),
)

const RetrySwapInput = builder.inputType('RetrySwapInput', {
  fields: (t) => ({
    id: t.id({ required: true }),
    idempotencyKey: t.string(),
    waitMs: t.int({ defaultValue: 0 }),
  }),
})

builder.mutationField('retrySwap', (t) =>
  t.field({
    type: CreateSwapResult,
    description: 'Starts a new job with the images of a failed, lost or canceled one, linked by `retryOf`.',
    extensions: declareCost({ nodes: 1 }),
    args: { input: t.arg({ type: RetrySwapInput, required: true }) },
    resolve: async (_root, { input }, { viewer, idempotencyKey, requestId, useCases }) => {
      const { id, waitMs = null } = input
      const key = input.idempotencyKey ?? idempotencyKey
      return toResult(await useCases.retrySwap(viewer, { id, idempotencyKey: key, waitMs, requestId }), useCases.now())
    },
  }),
)

const CancelSwapInput = builder.inputType('CancelSwapInput', { fields: (t) => ({ id: t.id({ required: true }) }) })

const CancelSwapResult = createJobResult('CancelSwap')

builder.mutationField('cancelSwap', (t) =>
  t.field({
    type: CancelSwapResult,
    description:
      'Cancels a job that has not been submitted. A job that the upstream has cannot be canceled: SwapStateError.',
    extensions: declareCost({ nodes: 1 }),
    args: { input: t.arg({ type: CancelSwapInput, required: true }) },
    resolve: async (_root, { input: { id } }, { viewer, useCases }) => {
      const outcome = await useCases.cancelSwap(viewer, id)
      switch (outcome.kind) {
        case 'canceled':
          return { job: outcome.job }
        case 'notFound':
          return toNotFound([id])
        case 'tooLate':
          return toWrongState(
            outcome.job,
            'The job has already been submitted or is done, so it cannot be canceled.',
            false,
          )
      }
    },
  }),
)
