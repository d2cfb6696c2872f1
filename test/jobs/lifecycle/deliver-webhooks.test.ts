/** The share of concurrent attempts that one webhook receiver may have. */
import { expect, test } from 'vitest'
import { MAX_AT_ONE_RECEIVER, runWebhooks } from '../../../src/jobs/lifecycle/deliver-webhooks.ts'
import { createBackground } from '../../../src/lib/async/background.ts'
import { createInterruptibleDelay } from '../../../src/lib/async/interruptible-delay.ts'
import { createWebhookStore } from '../../../src/store/sql/webhook-store.ts'
import { NO_TRACE_CONTEXTS } from '../../../src/telemetry/tracing.ts'
import type { SendOutcome } from '../../../src/webhooks/webhook-sender.ts'
import { createStepClock } from '../../support/step-clock.ts'
import { makeNewSwapJob } from '../../support/jobs.ts'
import { openMemoryStore } from '../../support/memory-store.ts'
import { until } from '../../support/until.ts'

const EVENTS = 400
const SILENT = 'https://silent.example.com/'
const LIVE = 'https://live.example.com/'

test('a webhook receiver that never answers has at most its share of the attempts, however many events it has', async () => {
  const { engine, store } = await openMemoryStore()
  const clock = createStepClock()
  const makeEvent = async (n: number, url: string) => {
    const room = { maxInFlight: 10_000, maxWaiting: 10_000 }
    const refusals = { since: 0, maxPerTenant: 10, maxOverall: 10 }
    const limits = { since: 0, quota: null, maxUnfinished: null, maxWaiting: null, contentRefusals: refusals }
    const made = await store.createJob(makeNewSwapJob(`job_${n}`, clock.now(), { hookUrl: url }), room, limits)
    if (made.kind !== 'created') throw new Error(made.kind)
    const patch = { finishedAt: clock.now(), wakeAt: null }
    const webhook = { id: `evt_${n}`, url, body: '{}' }
    await store.applyDecision(made.job, { kind: 'transition', to: 'CANCELED', patch }, clock.now(), 'CALLER', webhook)
  }
  for (let n = 0; n < EVENTS; n += 1) await makeEvent(n, SILENT)

  const stopping = new AbortController()
  const failures: unknown[] = []
  const background = createBackground((_what, error) => failures.push(error))
  const wakeUp = createInterruptibleDelay(clock, stopping.signal)
  const held: ((outcome: SendOutcome) => void)[] = []
  let most = 0
  let delivered = 0
  const sender = {
    send: async ({ url }: { readonly url: string }): Promise<SendOutcome> => {
      if (url === LIVE) {
        delivered += 1
        return { kind: 'answered', httpStatus: 204, retryAfterMs: null }
      }
      return new Promise((resolve) => {
        held.push(resolve)
        most = Math.max(most, held.length)
      })
    },
  }
  const telemetry = {
    backgroundFailed: (_what: string, error: unknown) => failures.push(error),
    webhookAttempted: () => {},
  }
  const traceContexts = NO_TRACE_CONTEXTS
  const running = runWebhooks(
    {
      store: createWebhookStore(engine),
      sender,
      wakeUp,
      background,
      telemetry,
      traceContexts,
      clock,
      random: () => 0.5,
    },
    stopping.signal,
  )
  let ended = 0
  while (ended < EVENTS) {
    await until(() => held.length > 0)
    // The attempts time out one after the other.
    held.shift()?.({ kind: 'failed', error: 'no answer' })
    ended += 1
  }
  await makeEvent(EVENTS, LIVE)
  wakeUp.wake()
  await until(() => delivered === 1)
  stopping.abort()
  for (const give of held) give({ kind: 'failed', error: 'stopped' })
  await running
  await background.settled()
  expect(failures).toEqual([])
  expect(most).toBeLessThanOrEqual(MAX_AT_ONE_RECEIVER)
})
