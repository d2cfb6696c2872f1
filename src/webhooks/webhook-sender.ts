import type { TraceContext } from '../domain/trace-context.ts'
import type { Webhook } from '../domain/webhook.ts'

export type SendOutcome =
  | { readonly kind: 'answered'; readonly httpStatus: number; readonly retryAfterMs: number | null }
  /** There was no response; `error` is the gateway's own message. */
  | { readonly kind: 'failed'; readonly error: string }

export interface WebhookSender {
  /**
   * Makes one attempt, signed with the tenant's secrets and the wall clock's time. Never rejects.
   * @param context sent as `traceparent` and `tracestate`; null: without these headers.
   */
  send(webhook: Webhook, context: TraceContext | null): Promise<SendOutcome>
}
