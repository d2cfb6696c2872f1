import { isDone, type SwapJob } from '../../../domain/swap-job.ts'
import type { BatchItemOutcome } from '../../../jobs/create-swap-batch.ts'
import type { RetryOutcome } from '../../../jobs/retry-swap.ts'
import type { WatchToken } from '../../../auth/viewer.ts'
import { builder } from '../builder.ts'
import { declareCacheable } from '../cacheable.ts'
import { declareCost } from '../field-cost.ts'
import {
  SwapBusyError,
  SwapIdempotencyConflictError,
  SwapInvalidInputError,
  SwapNotFoundError,
  SwapQuotaExceededError,
  SwapRateLimitedError,
  SwapStateError,
  SwapUpstreamError,
  toInvalidInput,
  toNotFound,
  toWrongState,
} from './errors.ts'
import { SwapJobType } from './swap-job.ts'

/** What a caller who finds no room is told to wait. */
const BUSY_RETRY_MS = 5_000

const SwapImageInput = builder.inputType('SwapImageInput', {
  description: 'Exactly one member.',
  isOneOf: true,
  fields: (t) => ({
    url: t.field({
      type: 'URL',
      description: 'A public http(s) address of a jpg, jpeg, png or webp, at most 8192 characters.',
    }),
    uploadId: t.id({ description: 'The id of a finished upload.' }),
    resultOf: t.id({ description: 'The id of a job that ended in SUCCESS: chain swaps without handling links.' }),
  }),
})

export const CreateSwapInput = builder.inputType('CreateSwapInput', {
  fields: (t) => ({
    targetImage: t.field({
      type: SwapImageInput,
      required: true,
      description: 'The template image whose face is replaced.',
    }),
    swapImage: t.field({
      type: SwapImageInput,
      required: true,
      description: 'The image the face is taken from.',
    }),
    hookUrl: t.field({
      type: 'URL',
      description:
        'Receives a signed POST (Standard Webhooks) when the job is done, repeated with the same id until a 2xx. At most 8192 characters. An empty text counts as absent.',
    }),
    idempotencyKey: t.string({
      description:
        '1 to 255 characters, per caller. The same key with the same input gives the same job as it is now; with another input, SwapIdempotencyConflictError. Only `waitMs` and `reuseSameContent` may differ. If absent, the `Idempotency-Key` header is used.',
    }),
    reuseSameContent: t.boolean({
      defaultValue: false,
      description:
        'Where the same two images were swapped for this caller within the last hour, give that job instead of paying again.',
    }),
    waitMs: t.int({ defaultValue: 0, description: 'Hold the answer until done, at most this long (0 to 25000).' }),
    clientReference: t.string({ description: 'At most 255 characters. An empty text counts as absent.' }),
    tags: t.stringList({ description: 'At most 10, 64 characters each. Empty texts are dropped.' }),
    keepDays: t.int({
      defaultValue: 7,
      description: 'Days until images and links are erased (0 to 30). 0: an hour after the end.',
    }),
  }),
})

const SwapReuse = builder.enumType('SwapReuse', { values: ['NONE', 'SAME_KEY', 'SAME_CONTENT'] as const })

const SwapWatchToken = builder.objectRef<WatchToken>('SwapWatchToken').implement({
  extensions: declareCacheable('never'),
  description: 'Send as a bearer token, or as `authorization` in connection_init.',
  fields: (t) => ({
    token: t.exposeString('token'),
    expiresAt: t.expose('expiresAt', { type: 'DateTime' }),
  }),
})

const CreateSwapSuccess = builder
  .objectRef<{ readonly job: SwapJob; readonly reused: 'NONE' | 'SAME_KEY' | 'SAME_CONTENT' }>('CreateSwapSuccess')
  .implement({
    extensions: declareCacheable('never'),
    description: 'The job is recorded; it is carried out even if this answer is lost.',
    fields: (t) => ({
      job: t.expose('job', { type: SwapJobType, extensions: declareCost({ nodes: 0 }) }),
      reused: t.expose('reused', {
        type: SwapReuse,
        description: 'Whether an earlier job was given back instead of a new one.',
      }),
      watchToken: t.field({
        type: SwapWatchToken,
        nullable: true,
        description: 'For a browser: reads and watches this job only. Null where the caller may not hand out tokens.',
        resolve: ({ job }, _args, { viewer, useCases }) => useCases.issueWatchToken(viewer, job),
      }),
    }),
  })

export const CreateSwapResult = builder.unionType('CreateSwapResult', {
  types: [
    CreateSwapSuccess,
    SwapInvalidInputError,
    SwapIdempotencyConflictError,
    SwapQuotaExceededError,
    SwapRateLimitedError,
    SwapBusyError,
    SwapUpstreamError,
    SwapNotFoundError,
    SwapStateError,
  ],
  resolveType: (value) => {
    if ('issues' in value) return SwapInvalidInputError
    if ('reused' in value) return CreateSwapSuccess
    if ('maxInFlight' in value) return SwapBusyError
    if ('remaining' in value) return SwapQuotaExceededError
    if ('limit' in value) return SwapRateLimitedError
    if ('ids' in value) return SwapNotFoundError
    if (value.code === 'WRONG_STATE') return SwapStateError
    return value.code === 'IDEMPOTENCY_KEY_REUSED' ? SwapIdempotencyConflictError : SwapUpstreamError
  },
})

builder.mutationField('createSwap', (t) =>
  t.field({
    type: CreateSwapResult,
    description:
      'Start one swap. The upstream is asked, and charges, at most once for one `idempotencyKey`, whatever the number of retries.',
    extensions: declareCost({ nodes: 1 }),
    args: { input: t.arg({ type: CreateSwapInput, required: true }) },
    resolve: async (_root, { input }, { viewer, idempotencyKey, useCases }) => {
      const withKey = Object.assign({}, input, { idempotencyKey: input.idempotencyKey ?? idempotencyKey })
      return toResult(await useCases.createSwap(viewer, withKey), useCases.now())
    },
  }),
)

/** What became of a call as a member of the result's union. */
export function toResult(outcome: BatchItemOutcome | RetryOutcome, now: number) {
  switch (outcome.kind) {
    case 'created':
      return { job: outcome.job, reused: outcome.reused }
    case 'refused':
      return {
        code: 'UPSTREAM_REFUSED' as const,
        message: outcome.job.failure?.message ?? 'The upstream refused the swap.',
        retryable: outcome.job.failure?.retryable ?? false,
        job: outcome.job,
      }
    case 'invalid':
      return toInvalidInput(outcome.issues)
    case 'busy':
      return {
        code: 'BUSY' as const,
        message: 'Too many swaps are waiting. Nothing was sent, nothing was charged; try again later.',
        retryable: true,
        retryAfterMs: BUSY_RETRY_MS,
        maxInFlight: outcome.maxInFlight,
      }
    case 'quotaExceeded':
      return {
        code: 'QUOTA_EXCEEDED' as const,
        message: outcome.isRefused
          ? 'Too many swaps were refused on grounds of content today. Nothing was sent.'
          : 'The units for today are used up. Nothing was sent.',
        retryable: true,
        retryAfterMs: Math.max(0, outcome.resetAt - now),
        remaining: outcome.remaining,
        resetAt: outcome.resetAt,
      }
    case 'notFound':
      return toNotFound(outcome.ids)
    case 'wrongState':
      return toWrongState(
        outcome.job,
        'Only a job that failed, was lost or was canceled can be run again, while its images are kept.',
        !isDone(outcome.job.status),
      )
    case 'failed':
      return {
        code: 'BUSY' as const,
        message: outcome.message,
        retryable: true,
        retryAfterMs: BUSY_RETRY_MS,
        maxInFlight: null,
      }
    case 'keyConflict':
      return {
        code: 'IDEMPOTENCY_KEY_REUSED' as const,
        message: 'This idempotency key was used with another input. Use a new key for a new swap.',
        retryable: false,
        job: outcome.job,
      }
  }
}
