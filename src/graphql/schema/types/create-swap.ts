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

/** `retryAfterMs` of a BUSY error. */
const BUSY_RETRY_MS = 5_000

const SwapImageInput = builder.inputType('SwapImageInput', {
  description: 'An input image; set exactly one field.',
  isOneOf: true,
  fields: (t) => ({
    url: t.field({
      type: 'URL',
      description: 'A public http(s) URL of a JPEG, PNG or WebP, at most 8192 characters.',
    }),
    uploadId: t.id({ description: 'The id of a finished upload.' }),
    resultOf: t.id({ description: 'The id of a job with status SUCCESS, whose result is used as the image.' }),
  }),
})

export const CreateSwapInput = builder.inputType('CreateSwapInput', {
  fields: (t) => ({
    targetImage: t.field({
      type: SwapImageInput,
      required: true,
      description: 'The image whose face is replaced.',
    }),
    swapImage: t.field({
      type: SwapImageInput,
      required: true,
      description: 'The image that the face is taken from.',
    }),
    hookUrl: t.field({
      type: 'URL',
      description:
        'URL that receives a signed POST (Standard Webhooks) when the job finishes, retried with the same event id until it returns a 2xx. At most 8192 characters; an empty string counts as absent.',
    }),
    idempotencyKey: t.string({
      description:
        '1 to 255 characters, unique per tenant. The same key with the same input returns the existing job in its current state; with a different input it returns SwapIdempotencyConflictError. Only `waitMs` and `reuseSameContent` may differ. If absent, the `Idempotency-Key` header is used.',
    }),
    reuseSameContent: t.boolean({
      defaultValue: false,
      description:
        'Return an existing job, instead of paying again, if the tenant swapped the same two images within the last hour.',
    }),
    waitMs: t.int({
      defaultValue: 0,
      description: 'Wait up to this many milliseconds for the job to finish (0 to 25000).',
    }),
    clientReference: t.string({
      description: "The caller's own reference for the job. At most 255 characters; an empty string counts as absent.",
    }),
    tags: t.stringList({ description: 'At most 10 tags of at most 64 characters. Empty strings are dropped.' }),
    keepDays: t.int({
      defaultValue: 7,
      description:
        'Days after the end of the job until its images and links are erased (0 to 30); 0 erases them after an hour.',
    }),
  }),
})

const SwapReuse = builder.enumType('SwapReuse', { values: ['NONE', 'SAME_KEY', 'SAME_CONTENT'] as const })

const SwapWatchToken = builder.objectRef<WatchToken>('SwapWatchToken').implement({
  extensions: declareCacheable('never'),
  description: 'Send it as a bearer token, or over WebSocket as `authorization` in `connection_init`.',
  fields: (t) => ({
    token: t.exposeString('token'),
    expiresAt: t.expose('expiresAt', { type: 'DateTime' }),
  }),
})

const CreateSwapSuccess = builder
  .objectRef<{ readonly job: SwapJob; readonly reused: 'NONE' | 'SAME_KEY' | 'SAME_CONTENT' }>('CreateSwapSuccess')
  .implement({
    extensions: declareCacheable('never'),
    description: 'The job is recorded, and continues even if this response is lost.',
    fields: (t) => ({
      job: t.expose('job', { type: SwapJobType, extensions: declareCost({ nodes: 0 }) }),
      reused: t.expose('reused', {
        type: SwapReuse,
        description: 'Whether an existing job was returned instead of a new one.',
      }),
      watchToken: t.field({
        type: SwapWatchToken,
        nullable: true,
        description:
          'A token for a browser that can read and watch only this job. Null if the caller may not issue tokens.',
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
      'Starts a swap. For one `idempotencyKey` the gateway submits, and the upstream charges, at most once, however often the call is retried.',
    extensions: declareCost({ nodes: 1 }),
    args: { input: t.arg({ type: CreateSwapInput, required: true }) },
    resolve: async (_root, { input }, { viewer, idempotencyKey, requestId, useCases }) => {
      const withKey = Object.assign({}, input, { idempotencyKey: input.idempotencyKey ?? idempotencyKey })
      return toResult(await useCases.createSwap(viewer, withKey, { requestId }), useCases.now())
    },
  }),
)

/** Maps the outcome of a call to a member of CreateSwapResult. */
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
        message: 'The queue is full. Nothing was submitted or charged. Try again later.',
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
        message: 'This idempotency key was used with a different input. Use a new key for a new swap.',
        retryable: false,
        job: outcome.job,
      }
  }
}
