/**
 * The caller's own hook: one event for the end of a job, told until its receiver has taken it (Standard Webhooks). All
 * attempts have the same id and the same bytes.
 */
import type { SwapCharge, SwapFailureCode, SwapJob, SwapJobStatus } from './swap-job.ts'

export const WEBHOOK_STATES = ['WAITING', 'DELIVERED', 'RETRYING', 'EXHAUSTED'] as const
/** EXHAUSTED: nothing more is tried by itself. */
export type WebhookState = (typeof WEBHOOK_STATES)[number]

export interface Webhook {
  readonly id: string
  readonly jobId: string
  readonly tenant: string
  readonly url: string
  /** What is sent, byte for byte. */
  readonly body: string
  readonly state: WebhookState
  /** Attempts since it was made, or since it was asked for again. */
  readonly tries: number
}

export interface WebhookAttempt {
  readonly at: number
  /** Null where no answer came. */
  readonly httpStatus: number | null
  /** In words of ours. */
  readonly error: string | null
}

/** What a receiver is told. Links are not in it: they end, and the job has fresh ones whenever it is asked for. */
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

/** From the last attempt to the next, in milliseconds: the example schedule of Standard Webhooks. */
const DELAYS_MS = [0, 5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 36_000_000]
const JITTER = 0.2

/**
 * When the next attempt is due after `tries` of them; null when there is none any more.
 * @param random in [0, 1).
 * @param retryAfterMs what the receiver asked for: it may make the wait longer, up to the longest of the schedule.
 */
export function nextAttemptInMs(tries: number, random: number, retryAfterMs: number | null): number | null {
  const delay = DELAYS_MS[tries]
  if (delay === undefined) return null
  const longest = Math.max(...DELAYS_MS)
  return Math.round(Math.max(delay * (1 - JITTER + 2 * JITTER * random), Math.min(retryAfterMs ?? 0, longest)))
}
