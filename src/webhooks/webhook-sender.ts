import type { Webhook } from '../domain/webhook.ts'

export type SendOutcome =
  | { readonly kind: 'answered'; readonly httpStatus: number; readonly retryAfterMs: number | null }
  /** No answer came; why, in words of ours. */
  | { readonly kind: 'failed'; readonly error: string }

export interface WebhookSender {
  /** One attempt, signed with the tenant's secrets and the wall clock's time. Never rejects. */
  send(webhook: Webhook): Promise<SendOutcome>
}
