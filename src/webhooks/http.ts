/**
 * Sends webhooks: a POST with the event id, the time of the attempt and a signature over both and the body (Standard
 * Webhooks). Callers choose the addresses, so each connection passes the address guard. Redirects are not followed, and
 * the body of a response is discarded.
 */
import { Webhook as Signer } from 'standardwebhooks'
import { Agent, buildConnector, request } from 'undici'
import { toTraceHeaders } from '../domain/trace-context.ts'
import { type AddressGuard, AddressRefusedError, createGuardedConnector } from '../lib/net/address-guard.ts'
import { toWebhookSecrets } from './secrets.ts'
import type { WebhookSender } from './webhook-sender.ts'

const TIMEOUT_MS = 15_000
const CONNECT_TIMEOUT_MS = 5_000
const MAX_TENANTS_KEPT = 1_000

export interface WebhookSenderOptions {
  readonly gatewaySecrets: readonly string[]
  /** Checks each connection. */
  readonly guard: AddressGuard
  /** Maximum connections to one receiver. */
  readonly connections: number
  /**
   * The time that receivers compare with their own, in epoch milliseconds. It follows corrections of the wall clock.
   */
  readonly wallNow: () => number
}

export function openWebhookSender(options: WebhookSenderOptions): WebhookSender & { close(): Promise<void> } {
  const { gatewaySecrets, guard, connections, wallNow } = options
  const agent = new Agent({
    connect: createGuardedConnector(guard, (lookup) => buildConnector({ lookup, timeout: CONNECT_TIMEOUT_MS })),
    connections,
    pipelining: 1,
  })
  const signers = new Map<string, readonly Signer[]>()
  const signersOf = (tenant: string): readonly Signer[] => {
    const known = signers.get(tenant) ?? toWebhookSecrets(gatewaySecrets, tenant).map((secret) => new Signer(secret))
    if (signers.size >= MAX_TENANTS_KEPT) signers.clear()
    signers.set(tenant, known)
    return known
  }

  return {
    send: async ({ id, tenant, url, body }, context) => {
      const at = wallNow()
      const signal = AbortSignal.timeout(TIMEOUT_MS)
      try {
        guard.checkUrl(new URL(url))
        const time = new Date(at)
        const answer = await request(url, {
          dispatcher: agent,
          method: 'POST',
          signal,
          headers: {
            'content-type': 'application/json',
            'user-agent': 'swapface-gateway',
            'webhook-id': id,
            'webhook-timestamp': String(Math.floor(at / 1_000)),
            'webhook-signature': signersOf(tenant)
              .map((signer) => signer.sign(id, time, body))
              .join(' '),
            ...(context !== null && toTraceHeaders(context)),
          },
          body,
        })
        const { statusCode: httpStatus, headers } = answer
        await answer.body.dump({ limit: 16_384, signal }).catch(() => null)
        return { kind: 'answered', httpStatus, retryAfterMs: toMs(headers['retry-after'], at) }
      } catch (error) {
        if (error instanceof AddressRefusedError) return { kind: 'failed', error: 'the address is not allowed' }
        return { kind: 'failed', error: signal.aborted ? 'no response within 15 s' : 'the receiver cannot be reached' }
      }
    },
    close: () => agent.destroy(),
  }
}

/** The date format that servers send (RFC 9110, 5.6.7). `Date.parse` alone accepts almost any text. */
const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/

/** `Retry-After` (RFC 9110, 10.2.3): seconds, or a date; null for any other text. */
function toMs(retryAfter: string | string[] | undefined, now: number): number | null {
  if (typeof retryAfter !== 'string') return null
  if (/^\d{1,9}$/.test(retryAfter)) return Number(retryAfter) * 1_000
  const at = HTTP_DATE.test(retryAfter) ? Date.parse(retryAfter) : Number.NaN
  return Number.isNaN(at) ? null : Math.max(0, at - now)
}
