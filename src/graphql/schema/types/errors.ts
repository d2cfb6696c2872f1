import { SWAP_INPUT_ISSUE_CODES, type SwapInputIssue } from '../../../jobs/create-swap-input.ts'
import type { SwapJob } from '../../../domain/swap-job.ts'
import type { Allowance } from '../../../limits/limiter.ts'
import { builder } from '../builder.ts'
import { declareCacheable } from '../cacheable.ts'
import { limitMessage } from '../caller.ts'
import { declareCost } from '../field-cost.ts'
import { SwapJobType } from './swap-job.ts'

const SwapErrorCode = builder.enumType('SwapErrorCode', {
  values: [
    'INVALID_INPUT',
    'IDEMPOTENCY_KEY_REUSED',
    'QUOTA_EXCEEDED',
    'RATE_LIMITED',
    'BUSY',
    'UPSTREAM_REFUSED',
    'UPSTREAM_UNAVAILABLE',
    'NOT_FOUND',
    'WRONG_STATE',
  ] as const,
})

const SwapInputIssueCode = builder.enumType('SwapInputIssueCode', { values: SWAP_INPUT_ISSUE_CODES })

interface SwapErrorShape {
  readonly code: (typeof SwapErrorCode)['$inferType']
  readonly message: string
  readonly retryable: boolean
  readonly retryAfterMs?: number
}

const SwapError = builder.interfaceRef<SwapErrorShape>('SwapError').implement({
  description: 'The fields of every expected error. Unexpected errors are in the `errors` list, masked.',
  fields: (t) => ({
    code: t.expose('code', { type: SwapErrorCode }),
    message: t.exposeString('message', { description: 'A message for people; its text may change.' }),
    retryable: t.exposeBoolean('retryable', { description: 'Whether the same call may succeed later.' }),
    retryAfterMs: t.exposeInt('retryAfterMs', { nullable: true }),
  }),
})

const SwapInputIssueType = builder.objectRef<SwapInputIssue>('SwapInputIssue').implement({
  extensions: declareCacheable('never'),
  fields: (t) => ({
    path: t.exposeStringList('path', {
      description: 'Path from the argument to the value, for example `["input", "targetImage", "url"]`.',
    }),
    code: t.expose('code', { type: SwapInputIssueCode }),
    message: t.exposeString('message'),
  }),
})

export const SwapInvalidInputError = builder
  .objectRef<SwapErrorShape & { readonly issues: readonly SwapInputIssue[] }>('SwapInvalidInputError')
  .implement({
    extensions: declareCacheable('never'),
    description: 'The input is invalid. All problems are listed, not only the first.',
    interfaces: [SwapError],
    fields: (t) => ({
      issues: t.expose('issues', {
        type: [SwapInputIssueType],
        extensions: declareCost({ listSize: { assumedSize: 5 } }),
      }),
    }),
  })

export function toInvalidInput(issues: readonly SwapInputIssue[]) {
  const message = `The input is invalid: ${issues.map((issue) => issue.message).join(' ')}`
  return { code: 'INVALID_INPUT' as const, message, retryable: false, issues }
}

export const SwapIdempotencyConflictError = builder
  .objectRef<SwapErrorShape & { readonly job: SwapJob }>('SwapIdempotencyConflictError')
  .implement({
    extensions: declareCacheable('never'),
    description: 'The idempotency key was already used with a different input. Nothing was submitted.',
    interfaces: [SwapError],
    fields: (t) => ({
      job: t.expose('job', {
        type: SwapJobType,
        description: 'The job that was created with the key.',
        extensions: declareCost({ nodes: 0 }),
      }),
    }),
  })

export const SwapBusyError = builder
  .objectRef<SwapErrorShape & { readonly maxInFlight: number | null }>('SwapBusyError')
  .implement({
    extensions: declareCacheable('never'),
    description: "The gateway's queue is full. Nothing was submitted or charged.",
    interfaces: [SwapError],
    fields: (t) => ({ maxInFlight: t.exposeInt('maxInFlight', { nullable: true }) }),
  })

export const SwapUpstreamError = builder
  .objectRef<SwapErrorShape & { readonly job: SwapJob }>('SwapUpstreamError')
  .implement({
    extensions: declareCacheable('never'),
    description: 'The upstream refused the swap. If its answer was lost, the job is UNCONFIRMED instead.',
    interfaces: [SwapError],
    fields: (t) => ({
      job: t.expose('job', {
        type: SwapJobType,
        description: 'The job, with status FAILED.',
        extensions: declareCost({ nodes: 0 }),
      }),
    }),
  })

export const SwapQuotaExceededError = builder
  .objectRef<SwapErrorShape & { readonly remaining: number; readonly resetAt: number }>('SwapQuotaExceededError')
  .implement({
    extensions: declareCacheable('never'),
    description: "The tenant's quota is spent. Nothing was submitted.",
    interfaces: [SwapError],
    fields: (t) => ({
      remaining: t.exposeInt('remaining', { nullable: true }),
      resetAt: t.expose('resetAt', { type: 'DateTime' }),
    }),
  })

export const SwapRateLimitedError = builder
  .objectRef<SwapErrorShape & { readonly limit: number; readonly resetAt: number }>('SwapRateLimitedError')
  .implement({
    extensions: declareCacheable('never'),
    description: 'The tenant sent too many requests. Nothing was submitted.',
    interfaces: [SwapError],
    fields: (t) => ({
      limit: t.exposeInt('limit'),
      resetAt: t.expose('resetAt', { type: 'DateTime' }),
    }),
  })

/** The fields of SwapRateLimitedError, for a caller whose requests are used up. */
export function toRateLimited(allowance: Allowance, now: number) {
  const { limit, resetAt } = allowance
  const retryAfterMs = Math.max(0, resetAt - now)
  return {
    code: 'RATE_LIMITED' as const,
    message: limitMessage(allowance),
    retryable: true,
    retryAfterMs,
    limit,
    resetAt,
  }
}

export const SwapNotFoundError = builder
  .objectRef<SwapErrorShape & { readonly ids: readonly string[] }>('SwapNotFoundError')
  .implement({
    extensions: declareCacheable('never'),
    interfaces: [SwapError],
    fields: (t) => ({ ids: t.idList({ resolve: ({ ids }) => [...ids] }) }),
  })

export function toNotFound(ids: readonly string[], message = 'The job does not exist.') {
  return { code: 'NOT_FOUND' as const, message, retryable: false, ids }
}

export const SwapStateError = builder
  .objectRef<SwapErrorShape & { readonly job: SwapJob }>('SwapStateError')
  .implement({
    extensions: declareCacheable('never'),
    description: "The job's status does not allow the call.",
    interfaces: [SwapError],
    fields: (t) => ({ job: t.expose('job', { type: SwapJobType, extensions: declareCost({ nodes: 0 }) }) }),
  })

/** @param retryable whether the same call may succeed after the job's status changes. */
export function toWrongState(job: SwapJob, message: string, retryable: boolean) {
  return { code: 'WRONG_STATE' as const, message, retryable, job }
}

/** Defines the result union of a mutation of one job: the job, SwapNotFoundError or SwapStateError. */
export function createJobResult(name: 'CancelSwap' | 'ReplaySwapHook') {
  const success = builder.objectRef<{ readonly job: SwapJob }>(`${name}Success`).implement({
    extensions: declareCacheable('never'),
    fields: (t) => ({ job: t.expose('job', { type: SwapJobType, extensions: declareCost({ nodes: 0 }) }) }),
  })
  return builder.unionType(`${name}Result`, {
    types: [success, SwapNotFoundError, SwapStateError],
    resolveType: (value) => {
      if ('ids' in value) return SwapNotFoundError
      return 'code' in value ? SwapStateError : success
    },
  })
}
