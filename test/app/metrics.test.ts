/** The metrics of a whole gateway, as Prometheus reads them. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { createClient } from 'graphql-ws'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { findFreePort } from '../faults/gateway-process.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { holdSubmit } from '../support/hold-submit.ts'
import { isOnPostgres } from '../support/raw-database.ts'
import { scrape } from '../support/metric-series.ts'
import { openScriptedHost } from '../support/scripted-host.ts'
import { makeDataDir, openRawDatabaseOf, openTestApp, subscribeSse, type TestAppOptions } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const INPUT = { targetImage: { url: 'https://example.com/t.jpg' }, swapImage: { url: 'https://example.com/f.jpg' } }
const CREATE = `mutation ($input: CreateSwapInput!) { createSwap(input: $input) {
  ... on CreateSwapSuccess { job { id status } } ... on SwapError { code message } } }`
const READ = 'query ($id: ID!) { swapJob(id: $id) { id status done version } }'
const WATCH = 'subscription ($id: ID!) { swapJobUpdated(id: $id) { status version done } }'

async function openWithMetrics({ settings, ...options }: TestAppOptions = {}) {
  const adminPort = String(await findFreePort())
  return openTestApp({ ...options, settings: { ADMIN_PORT: adminPort, ...settings } })
}

async function readToEnd(events: AsyncIterable<unknown>): Promise<void> {
  // The test needs only the arrival of the events, not their content.
  for await (const event of events) expect(event).toBeTypeOf('object')
}

async function openReceiver() {
  const host = await openScriptedHost((_request, response) => response.writeHead(204).end())
  closeAfterTest(() => host.close())
  return host
}

test('a scrape counts the events of HTTP, SSE and WebSocket', async () => {
  const receiver = await openReceiver()
  const gateway = await openWithMetrics({ settings: { ALLOWED_PRIVATE_HOSTS: receiver.host } })
  const { app, upstream, graphql, events } = gateway
  const { data } = await graphql(CREATE, { input: { ...INPUT, hookUrl: `${receiver.url}/` } })
  const { id } = data.createSwap.job
  const client = createClient({ url: `${app.url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket })
  closeAfterTest(() => client.dispose())
  const streams = [subscribeSse(app.url, WATCH, { id }), client.iterate({ query: WATCH, variables: { id } })]
  await Promise.all(streams.map(async (stream) => stream.next()))

  const during = await scrape(app.metricsUrl)
  expect(during('jobs{status="ON_QUEUE"}')).toBe(1)
  expect(during('oldest_unfinished_job_age_seconds')).toBeGreaterThan(0)
  expect(during('subscriptions{transport="sse"}')).toBe(1)
  expect(during('subscriptions{transport="websocket"}')).toBe(1)
  expect(during('websocket_connections')).toBe(1)
  expect(during('connections')).toBeGreaterThanOrEqual(2)
  expect(during('http_requests_total{route="graphql",status_class="1xx"}')).toBe(1)

  const [accepted] = upstream.accepted
  if (!accepted) throw new Error('the upstream took no job')
  accepted.state = { status: 'SUCCESS' }
  await upstream.sendHook(accepted)
  await Promise.all(streams.map(readToEnd))
  await fetch(`${app.url}/hooks/swapface/forged`, { method: 'POST', body: '{}' })
  await fetch(`${app.url}/nowhere`)
  await fetch(`${app.url}/readyz`)
  for (let n = 0; n < 3; n += 1) await graphql(READ, { id })
  await graphql('{ nope }')
  await readToEnd(client.iterate({ query: READ, variables: { id } }))
  await readToEnd(subscribeSse(app.url, READ, { id }))
  await until(() => events.some(({ name }) => name === 'webhookAttempted'))
  await until(() => events.filter(({ name }) => name === 'requestAnswered').length >= 11)

  const after = await scrape(app.metricsUrl)
  const operation = (transport: string, type: string, outcome: string) =>
    after(
      `graphql_request_duration_seconds_count{transport="${transport}",type="${type}",operation="",outcome="${outcome}"}`,
    )
  expect({
    mutation: operation('http', 'mutation', 'ok'),
    query: operation('http', 'query', 'ok'),
    refused: operation('http', 'none', 'error'),
    sseSubscription: operation('sse', 'subscription', 'ok'),
    sseQuery: operation('sse', 'query', 'ok'),
    webSocketSubscription: operation('websocket', 'subscription', 'ok'),
    webSocketQuery: operation('websocket', 'query', 'ok'),
  }).toEqual({
    mutation: 1,
    query: 3,
    refused: 1,
    sseSubscription: 1,
    sseQuery: 1,
    webSocketSubscription: 1,
    webSocketQuery: 1,
  })
  // With PostgreSQL no response is cached, because another process may change the job.
  const fromCache = isOnPostgres ? 0 : 1
  expect(after('fast_path_answers_total{from="compiled"}')).toBe(2 - fromCache)
  expect(after('fast_path_answers_total{from="cache"}')).toBe(fromCache)
  // The first request with each of three documents.
  expect(after('fast_path_fallbacks_total{reason="new"}')).toBe(3)
  expect(after('cache_requests_total{cache="response",result="hit"}')).toBe(fromCache)
  expect(after('cache_requests_total{cache="response",result="miss"}')).toBe(5 - fromCache)
  expect(after('cache_requests_total{cache="document",result="hit"}')).toBeGreaterThan(0)
  expect(after('http_requests_total{route="hook",status_class="2xx"}')).toBe(1)
  expect(after('http_requests_total{route="hook",status_class="4xx"}')).toBe(1)
  expect(after('http_requests_total{route="other",status_class="4xx"}')).toBe(1)
  expect(after('http_requests_total{route="health",status_class="2xx"}')).toBe(1)
  expect(after('hooks_total{outcome="recorded"}')).toBe(1)
  expect(after('hooks_total{outcome="refused"}')).toBe(1)
  expect(after('jobs_created_total')).toBe(1)
  // A poll may find the end before the hook arrives.
  const fromAnySource = (series: (source: string) => string) =>
    ['hook', 'fetch', 'reconciler'].reduce((total, source) => total + (after(series(source)) ?? 0), 0)
  expect(fromAnySource((source) => `job_transitions_total{to="SUCCESS",source="${source}"}`)).toBe(1)
  expect(after('job_duration_seconds_count{status="SUCCESS"}')).toBe(1)
  expect(fromAnySource((source) => `confirm_lag_seconds_count{source="${source}"}`)).toBe(1)
  expect(after('submit_duration_seconds_count{outcome="accepted"}')).toBe(1)
  expect(after('upstream_responses_total{call="fetch",status_class="2xx"}')).toBeGreaterThan(0)
  expect(after('webhook_attempt_duration_seconds_count{outcome="delivered"}')).toBe(1)
  expect(after('webhook_delivery_lag_seconds_count')).toBe(1)
  expect(after('quota_spent_units_total')).toBeGreaterThan(0)
  expect(after('database_queries_total')).toBeGreaterThan(0)
  expect(after('subscriptions{transport="sse"}')).toBe(0)
  expect(after('upstream_breaker_open')).toBe(0)
  expect(after('waiting_room_capacity')).toBe(1_000)
  expect(after('stored_bytes{store="database"}')).toBeGreaterThan(0)
  expect(after('stored_bytes{store="journal"}')).toBeGreaterThanOrEqual(0)
})

test('operations are reported by name if only trusted documents run', async () => {
  const gateway = await openWithMetrics({ settings: { TRUSTED_DOCUMENTS: 'schema/trusted-documents.json' } })
  const { default: manifest } = await import('../../schema/trusted-documents.json', { with: { type: 'json' } })
  const text = Object.values(manifest).find((document) => /^\s*query SwapJob\(/.test(document))
  await gateway.graphql(text ?? '', { id: 'unknown' })
  const labels = 'transport="http",type="query",operation="SwapJob",outcome="ok"'
  const valueOf = await scrape(gateway.app.metricsUrl)
  expect(valueOf(`graphql_request_duration_seconds_count{${labels}}`)).toBe(1)
})

test('a scrape omits the figures of the database if it cannot be read, and counts the failure', async () => {
  const dataDir = await makeDataDir()
  const { app } = await openWithMetrics({ dataDir })
  const database = await openRawDatabaseOf(dataDir)
  await database.exec('alter table usage_sums rename to usage_sums_gone')
  const valueOf = await scrape(app.metricsUrl)
  expect(valueOf('jobs{status="PENDING"}')).toBeUndefined()
  expect(valueOf('waiting_jobs')).toBeUndefined()
  expect(valueOf('waiting_room_capacity')).toBe(1_000)
  expect(valueOf('background_failures_total{task="collect metrics"}')).toBe(1)
  await database.exec('alter table usage_sums_gone rename to usage_sums')
  const again = await scrape(app.metricsUrl)
  expect(again('jobs{status="PENDING"}')).toBe(0)
  expect(again('waiting_jobs')).toBe(0)
})

test('the metrics can be read while the gateway waits for its last request', async () => {
  const { app, graphql, upstream } = await openWithMetrics()
  const release = holdSubmit(upstream)
  const answer = graphql(CREATE, { input: INPUT })
  await until(() => upstream.accepted[0])
  const closed = app.close()
  await until(async () => (await fetch(`${app.url}/readyz`).catch(() => null)) === null)
  expect((await scrape(app.metricsUrl))('jobs_created_total')).toBe(1)
  release()
  await answer
  await closed
  await expect(fetch(app.metricsUrl ?? '')).rejects.toThrow('fetch failed')
})

test('only GET /metrics is served to Prometheus, and only for a loopback host', async () => {
  const { app } = await openWithMetrics()
  const { origin, port } = new URL(app.metricsUrl ?? '')
  const statusOf = async (path: string, init?: RequestInit) => (await fetch(origin + path, init)).status
  expect(await statusOf('/')).toBe(404)
  expect(await statusOf('/metrics?name[]=a')).toBe(200)
  expect(await statusOf('/metrics', { method: 'POST', body: '{}' })).toBe(405)
  const socket = connect(Number(port), '127.0.0.1')
  closeAfterTest(() => {
    socket.destroy()
  })
  socket.end('GET /metrics HTTP/1.1\r\nhost: rebound.example\r\n\r\n')
  const [head] = (await once(socket, 'data')) as [Buffer]
  expect(head.toString()).toMatch(/^HTTP\/1\.1 403 /)
})

test('ADMIN_PORT=0 turns the metrics off', async () => {
  const { app } = await openTestApp()
  expect(app.metricsUrl).toBeNull()
})

test('a second gateway whose ADMIN_PORT is in use does not start, and leaves nothing open', async () => {
  const { app } = await openWithMetrics()
  const { port } = new URL(app.metricsUrl ?? '')
  const dataDir = await makeDataDir()
  await expect(openTestApp({ dataDir, settings: { ADMIN_PORT: port } })).rejects.toThrow('EADDRINUSE')
  // Otherwise its database would still be locked.
  await openTestApp({ dataDir })
})
