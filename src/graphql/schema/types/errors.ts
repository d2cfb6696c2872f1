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
  description: 'What every expected error has. Unexpected ones go to the `errors` list, masked.',
  fields: (t) => ({
    code: t.expose('code', { type: SwapErrorCode }),
    message: t.exposeString('message', { description: 'For people; not to be parsed.' }),
    retryable: t.exposeBoolean('retryable', { description: 'True if the same call may work later.' }),
    retryAfterMs: t.exposeInt('retryAfterMs', { nullable: true }),
  }),
})

const SwapInputIssueType = builder.objectRef<SwapInputIssue>('SwapInputIssue').implement({
  extensions: declareCacheable('never'),
  fields: (t) => ({
    path: t.exposeStringList('path', {
      description: 'From the argument down: `["input", "targetImage", "url"]`.',
    }),
    code: t.expose('code', { type: SwapInputIssueCode }),
    message: t.exposeString('message'),
  }),
})

export const SwapInvalidInputError = builder
  .objectRef<SwapErrorShape & { readonly issues: readonly SwapInputIssue[] }>('SwapInvalidInputError')
  .implement({
    extensions: declareCacheable('never'),
    description: 'All that is wrong with the input, not only the first thing.',
    interfaces: [SwapError],
    fields: (t) => ({
      issues: t.expose('issues', {
        type: [SwapInputIssueType],
        extensions: declareCost({ listSize: { assumedSize: 5 } }),
      }),
    }),
  })

export function toInvalidInput(issues: readonly SwapInputIssue[]) {
  const message = `The input cannot be used: ${issues.map((issue) => issue.message).join(' ')}`
  return { code: 'INVALID_INPUT' as const, message, retryable: false, issues }
}

export const SwapIdempotencyConflictError = builder
  .objectRef<SwapErrorShape & { readonly job: SwapJob }>('SwapIdempotencyConflictError')
  .implement({
    extensions: declareCacheable('never'),
    description: 'The idempotency key was used with another input. Nothing was sent.',
    interfaces: [SwapError],
    fields: (t) => ({
      job: t.expose('job', {
        type: SwapJobType,
        description: 'The job that has the key.',
        extensions: declareCost({ nodes: 0 }),
      }),
    }),
  })

export const SwapBusyError = builder
  .objectRef<SwapErrorShape & { readonly maxInFlight: number | null }>('SwapBusyError')
  .implement({
    extensions: declareCacheable('never'),
    description: "No room in the gateway's queue. Nothing was sent, nothing was charged.",
    interfaces: [SwapError],
    fields: (t) => ({ maxInFlight: t.exposeInt('maxInFlight', { nullable: true }) }),
  })

export const SwapUpstreamError = builder
  .objectRef<SwapErrorShape & { readonly job: SwapJob }>('SwapUpstreamError')
  .implement({
    extensions: declareCacheable('never'),
    description: "The upstream's answer was no. Never used when the answer was lost: that is a job in UNCONFIRMED.",
    interfaces: [SwapError],
    fields: (t) => ({
      job: t.expose('job', {
        type: SwapJobType,
        description: 'The job, recorded as FAILED.',
        extensions: declareCost({ nodes: 0 }),
      }),
    }),
  })

export const SwapQuotaExceededError = builder
  .objectRef<SwapErrorShape & { readonly remaining: number; readonly resetAt: number }>('SwapQuotaExceededError')
  .implement({
    extensions: declareCacheable('never'),
    description: "The caller's budget is spent. Nothing was sent.",
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
    description: 'Too many requests. Nothing was sent.',
    interfaces: [SwapError],
    fields: (t) => ({
      limit: t.exposeInt('limit'),
      resetAt: t.expose('resetAt', { type: 'DateTime' }),
    }),
  })

/** For a caller whose requests are used up. */
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

export function toNotFound(ids: readonly string[], message = 'There is no such job.') {
  return { code: 'NOT_FOUND' as const, message, retryable: false, ids }
}

export const SwapStateError = builder
  .objectRef<SwapErrorShape & { readonly job: SwapJob }>('SwapStateError')
  .implement({
    extensions: declareCacheable('never'),
    description: 'The job is not in a state that allows it.',
    interfaces: [SwapError],
    fields: (t) => ({ job: t.expose('job', { type: SwapJobType, extensions: declareCost({ nodes: 0 }) }) }),
  })

/** @param retryable whether the same call may work once the job has moved on. */
export function toWrongState(job: SwapJob, message: string, retryable: boolean) {
  return { code: 'WRONG_STATE' as const, message, retryable, job }
}

/** The result of a call about one job: the job as it is then, no such job, or a state that does not allow it. */
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
