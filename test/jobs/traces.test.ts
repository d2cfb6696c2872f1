/** The trace of a job: one trace for all its work, exported to a collector. */
import { expect, test } from 'vitest'
import { openCollector } from '../support/collector.ts'
import { FAKE_KEY } from '../support/fake-upstream.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { openScriptedHost } from '../support/scripted-host.ts'
import { createStepClock } from '../support/step-clock.ts'
import { openTestApp, type TestAppOptions } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const CALLER_SPAN = '00f067aa0ba902b7'
const TRACE_HEADERS = { traceparent: `00-${TRACE}-${CALLER_SPAN}-01`, tracestate: 'vendor=value' }
const INPUT = {
  targetImage: { url: 'https://example.com/private-target.jpg?sig=planted' },
  swapImage: { url: 'https://example.com/private-face.jpg?sig=planted' },
}
const CREATE = `mutation Start($input: CreateSwapInput!) { createSwap(input: $input) {
  ... on CreateSwapSuccess { job { id } } ... on SwapError { code message } } }`

async function openTraced(options: TestAppOptions = {}) {
  const collector = await openCollector()
  const settings = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ...options.settings }
  const gateway = await openTestApp({ ...options, settings })
  return { collector, gateway }
}

async function openReceiver() {
  const receiver = await openScriptedHost((_request, response) => {
    response.writeHead(204).end()
  })
  closeAfterTest(() => receiver.close())
  return receiver
}

test('one trace spans createSwap, submit, confirm, copy and webhook of a job, and its hook is linked to the confirm', async () => {
  const receiver = await openReceiver()
  // The clock does not advance, so no poll comes before the hook.
  const { collector, gateway } = await openTraced({
    clock: createStepClock(),
    settings: { ALLOWED_PRIVATE_HOSTS: receiver.host },
  })
  const hookUrl = `${receiver.url}/done?token=planted-receiver-token`
  const { data } = await gateway.graphql(CREATE, { input: { ...INPUT, hookUrl } }, TRACE_HEADERS)
  const { id } = data.createSwap.job
  const [accepted] = gateway.upstream.accepted
  if (!accepted) throw new Error('nothing was sent')
  accepted.state = { status: 'SUCCESS', links: { cdnImage: `${gateway.upstream.url}/results/1.png?sig=planted-link` } }
  expect(await gateway.upstream.sendHook(accepted)).toBe(200)
  await until(() => gateway.events.some(({ name }) => name === 'webhookAttempted'))
  await gateway.app.close()

  const [server] = collector.named('mutation')
  const [submit] = collector.named('submit')
  const [hook] = collector.named('POST /hooks/swapface/:token')
  const [confirm] = collector.named('confirm')
  const [copy] = collector.named('copy result')
  const [delivery] = collector.named('deliver webhook')
  expect(server).toMatchObject({ traceId: TRACE, parentSpanId: CALLER_SPAN, kind: 2, isError: false })
  expect(server?.attributes).toEqual({
    'graphql.operation.type': 'mutation',
    'graphql.operation.name': 'Start',
    'swapface.transport': 'http',
  })
  const ofJob = { traceId: TRACE, parentSpanId: server?.spanId, kind: 3, isError: false }
  expect(submit).toMatchObject({ ...ofJob, attributes: { 'swapface.job.id': id, 'swapface.outcome': 'accepted' } })
  expect(submit?.attributes).toMatchObject({ 'swapface.attempt': 1, 'http.response.status_code': 200 })
  expect(confirm).toMatchObject({ ...ofJob, attributes: { 'swapface.job.id': id, 'swapface.source': 'HOOK' } })
  expect(copy).toMatchObject({ ...ofJob, attributes: { 'swapface.job.id': id } })
  expect(delivery).toMatchObject({ ...ofJob, attributes: { 'swapface.job.id': id, 'http.response.status_code': 204 } })
  expect(hook).toMatchObject({ parentSpanId: '', kind: 2, attributes: { 'http.response.status_code': 200 } })
  expect(hook?.traceId).not.toBe(TRACE)
  expect(confirm?.links).toEqual([{ traceId: hook?.traceId, spanId: hook?.spanId }])
  const [request] = receiver.requests
  expect(request?.headers['traceparent']).toBe(`00-${TRACE}-${delivery?.spanId}-01`)
  expect(request?.headers['tracestate']).toBe('vendor=value')
  for (const { startedAt, endedAt } of collector.spans()) expect(endedAt).toBeGreaterThanOrEqual(startedAt)

  // No trace header reaches the upstream, and no span shows a secret or an address.
  expect(gateway.upstream.heads.length).toBeGreaterThan(1)
  for (const headers of gateway.upstream.heads) {
    expect(headers).not.toHaveProperty('traceparent')
    expect(headers).not.toHaveProperty('tracestate')
  }
  const exported = collector.text()
  const token = accepted.hookUrl.split('/').at(-1) ?? ''
  for (const secret of [FAKE_KEY, token, 'planted', 'example.com', '$input', receiver.host, 'results/1.png'])
    expect(exported, secret).not.toContain(secret)
})
