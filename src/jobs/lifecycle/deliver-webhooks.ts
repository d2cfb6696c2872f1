/**
 * Delivers the webhooks of ended jobs: at least once, on a schedule, with the same id and the same bytes each time.
 * Events and their due times are in the store, so a crash loses none and repeats at most one attempt of each.
 * Concurrent attempts per receiver are limited, so a receiver that never responds does not delay the rest.
 */
import { nextAttemptInMs, type Webhook, type WebhookAttempt } from '../../domain/webhook.ts'
import type { Background } from '../../lib/async/background.ts'
import type { Clock } from '../../lib/time/clock.ts'
import { createCounts } from '../../lib/counts.ts'
import { faultPoint } from '../../lib/fault-points.ts'
import type { InterruptibleDelay } from '../../lib/async/interruptible-delay.ts'
import type { WebhookStore } from '../../store/webhook-store.ts'
import type { Telemetry } from '../../telemetry/events.ts'
import type { TraceContexts } from '../../telemetry/tracing.ts'
import type { SendOutcome, WebhookSender } from '../../webhooks/webhook-sender.ts'

/** Concurrent attempts: in total, and to one receiver. */
const MAX_AT_ONCE = 512
export const MAX_AT_ONE_RECEIVER = 96
/** Events claimed at once. They may all be for one receiver, which then exceeds its share by that many. */
const BATCH = 24
const SHARE = MAX_AT_ONE_RECEIVER - BATCH
/** Share of a receiver that did not respond to its last attempt. */
const SHARE_OF_SILENT = 4
/** Silent receivers that are remembered. */
const MAX_SILENT = 10_000
/** An attempt takes at most 15 s. If none is recorded by then, its process is presumed dead. */
const CLAIM_MS = 20_000
const POLL_EVERY_MS = 1_000
const GONE = 410

export interface WebhookDelivererParts {
  readonly store: WebhookStore
  readonly sender: WebhookSender
  /** Woken when a webhook was recorded. */
  readonly wakeUp: InterruptibleDelay
  readonly background: Background
  readonly telemetry: Pick<Telemetry, 'backgroundFailed' | 'webhookAttempted'>
  readonly traceContexts: Pick<TraceContexts, 'childOf'>
  readonly clock: Clock
  readonly random: () => number
}

/** Delivers until `stopping` aborts, then resolves. Attempts in progress belong to `background`. */
export async function runWebhooks(parts: WebhookDelivererParts, stopping: AbortSignal): Promise<void> {
  const { store, sender, wakeUp, background, telemetry, traceContexts, clock, random } = parts
  const inProgress = createCounts()
  /** Hosts that did not respond to their last attempt. */
  const silent = new Set<string>()
  /** Hosts that have used up their share. */
  const full = new Set<string>()
  let running = 0

  const count = (host: string, change: 1 | -1) => {
    running += change
    if (inProgress.add(host, change) >= (silent.has(host) ? SHARE_OF_SILENT : SHARE)) full.add(host)
    else full.delete(host)
  }

  const attempt = async (webhook: Webhook, host: string) => {
    const at = clock.now()
    const context = traceContexts.childOf(webhook.traceContext)
    const outcome = await sender.send(webhook, context)
    if (outcome.kind === 'answered') silent.delete(host)
    else if (silent.size < MAX_SILENT) silent.add(host)
    faultPoint('webhook-answered')
    const next = decideNext(webhook, outcome, at, random())
    const made = toAttempt(outcome, at)
    const interval = { startedAt: at, endedAt: clock.now() }
    if (await store.recordAttempt(webhook, made, next))
      telemetry.webhookAttempted(webhook, made, next.state, interval, context)
  }

  const deliver = (webhook: Webhook) => {
    const { host } = new URL(webhook.url)
    count(host, 1)
    background.run('deliver a webhook', () =>
      attempt(webhook, host).finally(() => {
        count(host, -1)
        wakeUp.wake()
      }),
    )
  }

  while (!stopping.aborted) {
    try {
      const now = clock.now()
      const due = await store.claimDue(now, now + CLAIM_MS, Math.min(BATCH, MAX_AT_ONCE - running), [...full])
      for (const webhook of due) deliver(webhook)
      if (due.length > 0 && running < MAX_AT_ONCE) continue
    } catch (error) {
      telemetry.backgroundFailed('find due webhooks', error)
    }
    await wakeUp.wait(POLL_EVERY_MS)
  }
}

function toAttempt(outcome: SendOutcome, at: number): WebhookAttempt {
  return outcome.kind === 'answered'
    ? { at, httpStatus: outcome.httpStatus, error: null }
    : { at, httpStatus: null, error: outcome.error }
}

function decideNext({ tries }: Webhook, outcome: SendOutcome, at: number, random: number) {
  if (outcome.kind === 'answered' && outcome.httpStatus >= 200 && outcome.httpStatus < 300) {
    return { state: 'DELIVERED', nextAt: null } as const
  }
  const retryAfterMs = outcome.kind === 'answered' ? outcome.retryAfterMs : null
  const isGone = outcome.kind === 'answered' && outcome.httpStatus === GONE
  const inMs = isGone ? null : nextAttemptInMs(tries + 1, random, retryAfterMs)
  return inMs === null
    ? ({ state: 'EXHAUSTED', nextAt: null } as const)
    : ({ state: 'RETRYING', nextAt: at + inMs } as const)
}
