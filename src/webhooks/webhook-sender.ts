import type { Webhook } from '../domain/webhook.ts'

export type SendOutcome =
  | { readonly kind: 'answered'; readonly httpStatus: number; readonly retryAfterMs: number | null }
  /** There was no response; `error` is the gateway's own message. */
  | { readonly kind: 'failed'; readonly error: string }

export interface WebhookSender {
  /** Makes one attempt, signed with the tenant's secrets and the wall clock's time. Never rejects. */
  send(webhook: Webhook): Promise<SendOutcome>
}
