/**
 * The caller's webhook: one event for the end of a job, retried until its receiver accepts it (Standard Webhooks). All
 * attempts have the same id and the same bytes.
 */
import type { SwapCharge, SwapFailureCode, SwapJob, SwapJobStatus } from './swap-job.ts'
import type { TraceContext } from './trace-context.ts'

export const WEBHOOK_STATES = ['WAITING', 'DELIVERED', 'RETRYING', 'EXHAUSTED'] as const
/** EXHAUSTED: no further attempt is made unless the owner asks for a replay. */
export type WebhookState = (typeof WEBHOOK_STATES)[number]

export interface Webhook {
  readonly id: string
  readonly jobId: string
  readonly tenant: string
  readonly url: string
  /** The request body, byte for byte. */
  readonly body: string
  readonly state: WebhookState
  /** Attempts since the event was created or last replayed. */
  readonly tries: number
  /** When its job ended, epoch milliseconds. */
  readonly createdAt: number
  /** Of the request that created the job; null if there was none, or traces were off. */
  readonly traceContext: TraceContext | null
}

export interface WebhookAttempt {
  readonly at: number
  /** Null if there was no response. */
  readonly httpStatus: number | null
  /** The gateway's own message; null if there was a response. */
  readonly error: string | null
}

/** The event that a receiver gets. It has no links: they expire, and a query returns fresh ones. */
export interface WebhookBody {
  readonly type: 'swap.finished'
  /** RFC 3339. */
  readonly timestamp: string
  readonly data: {
    readonly id: string
    readonly status: SwapJobStatus
    readonly version: number
    readonly clientReference: string | null
    readonly tags: readonly string[]
    readonly failure: { readonly code: SwapFailureCode; readonly message: string; readonly retryable: boolean } | null
    readonly charge: SwapCharge
  }
}

export function toWebhookBody(job: SwapJob, at: number): WebhookBody {
  const { id, status, version, clientReference, tags, failure, charge } = job
  return {
    type: 'swap.finished',
    timestamp: new Date(at).toISOString(),
    data: { id, status, version, clientReference, tags, failure, charge },
  }
}

/** Delay before each attempt, in milliseconds: the example schedule of Standard Webhooks. */
const DELAYS_MS = [0, 5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 36_000_000]
const JITTER = 0.2

/**
 * The delay until the next attempt after `tries` of them, in milliseconds; null if none is left.
 * @param random in [0, 1).
 * @param retryAfterMs the receiver's `Retry-After`; it can extend the delay up to the longest of the schedule.
 */
export function nextAttemptInMs(tries: number, random: number, retryAfterMs: number | null): number | null {
  const delay = DELAYS_MS[tries]
  if (delay === undefined) return null
  const longest = Math.max(...DELAYS_MS)
  return Math.round(Math.max(delay * (1 - JITTER + 2 * JITTER * random), Math.min(retryAfterMs ?? 0, longest)))
}
