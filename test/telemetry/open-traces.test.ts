/** The export of traces: the SDK's own variables, and collectors that do not respond. */
import type { ServerResponse } from 'node:http'
import { afterEach, expect, test, vi } from 'vitest'
import { openTraces } from '../../src/telemetry/otel/open-traces.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { openCollector } from '../support/collector.ts'
import { openScriptedHost } from '../support/scripted-host.ts'
import { until } from '../support/until.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

function open(endpoint: string) {
  const failures: unknown[] = []
  const onFailure = (error: unknown) => failures.push(error)
  const now = () => Date.now()
  const traces = openTraces({ endpoint, areOperationsTrusted: false, now, wallNow: now, onFailure })
  closeAfterTest(() => traces.close())
  const request = async () => traces.tracing.startOperation('http', {}).run(async () => traces.contexts.current())
  return { traces, failures, request }
}

test('the standard variables name the service, and add attributes and headers to exports', async () => {
  vi.stubEnv('OTEL_SERVICE_NAME', 'swaps')
  vi.stubEnv('OTEL_RESOURCE_ATTRIBUTES', 'deployment.environment.name=test')
  vi.stubEnv('OTEL_EXPORTER_OTLP_HEADERS', 'x-team=faces')
  const collector = await openCollector()
  const { traces, request } = open(collector.url)
  await request()
  await traces.close()
  const [span] = collector.spans()
  expect(span?.resource).toMatchObject({ 'service.name': 'swaps', 'deployment.environment.name': 'test' })
  expect(collector.text()).toContain('"x-team":"faces"')
})

test('a sampler that records nothing exports nothing, and its contexts are not sampled', async () => {
  vi.stubEnv('OTEL_TRACES_SAMPLER', 'always_off')
  const collector = await openCollector()
  const { traces, request } = open(collector.url)
  expect(await request()).toMatch(/^00-[\da-f]{32}-[\da-f]{16}-00$/)
  await traces.close()
  expect(collector.exports).toBe(0)
})

test('a variable that the SDK cannot use is reported, and its default applies', async () => {
  vi.stubEnv('OTEL_TRACES_SAMPLER', 'sometimes')
  const collector = await openCollector()
  const { traces, failures, request } = open(collector.url)
  expect(String(failures)).toContain('OTEL_TRACES_SAMPLER')
  await request()
  await traces.close()
  expect(collector.spans()).toHaveLength(1)
})

test('a child context has the trace, the flags and the tracestate of its parent, and an id of its own', () => {
  const { traces } = open('http://127.0.0.1:9')
  const parent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00 vendor=value'
  const child = traces.contexts.childOf(parent)
  expect(child).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-[\da-f]{16}-00 vendor=value$/)
  expect(child).not.toContain('00f067aa0ba902b7')
  expect(traces.contexts.childOf(null)).toBeNull()
})

test('a request that fails unexpectedly ends its span as failed, and rejects', async () => {
  const collector = await openCollector()
  const { traces } = open(collector.url)
  const failing = traces.tracing.startRequest('POST', '/path', {}).run(async () => {
    throw new Error('planted text')
  })
  await expect(failing).rejects.toThrow('planted text')
  await traces.close()
  expect(collector.spans()).toEqual([expect.objectContaining({ name: 'POST /path', isError: true })])
  expect(collector.text()).not.toContain('planted')
})

test('spans that do not fit into the queue are dropped while the collector does not respond', async () => {
  const held: ServerResponse[] = []
  let isHolding = true
  const host = await openScriptedHost((_request, response) => {
    if (isHolding) held.push(response)
    else response.end('{}')
  })
  closeAfterTest(() => host.close())
  const { traces, request } = open(host.url)
  for (let n = 0; n < 10_000; n += 1) await request()
  await until(() => held.length > 0)
  isHolding = false
  for (const response of held) response.end('{}')
  await traces.close()
  const exported = host.requests.reduce((sum, { body }) => sum + body.split('"traceId"').length - 1, 0)
  // One export in progress, and a full queue.
  expect(exported).toBe(512 + 2_048)
})

test('the traces close although the collector never responds', async () => {
  const host = await openScriptedHost(() => {})
  closeAfterTest(() => host.close())
  const { traces, failures, request } = open(host.url)
  await request()
  await traces.close()
  expect(failures).toHaveLength(1)
})
