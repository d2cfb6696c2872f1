/** The spans of requests: one for each operation, over every transport, exported to a collector. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createClient } from 'graphql-ws'
import { beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { closeAfterGroup, closeAfterTest } from '../support/close-after-test.ts'
import { type CollectedSpan, type Collector, openCollector } from '../support/collector.ts'
import { openScriptedHost } from '../support/scripted-host.ts'
import {
  makeDataDir,
  openRawDatabaseOf,
  openTestApp,
  postGraphql,
  subscribeSse,
  type TestApp,
} from '../support/test-app.ts'
import { until } from '../support/until.ts'

const KEY = 'planted-api-key'
const API_KEYS = `a:${createHash('sha256').update(KEY).digest('hex')}`
const AUTHORIZATION = { authorization: `Bearer ${KEY}` }
const INPUT = { targetImage: { url: 'https://example.com/t.jpg' }, swapImage: { url: 'https://example.com/f.jpg' } }
const CREATE = `mutation Create($input: CreateSwapInput!) { createSwap(input: $input) {
  ... on CreateSwapSuccess { job { id } } ... on SwapUpstreamError { job { id } } } }`
const BATCH = `mutation Batch($input: CreateSwapBatchInput!) { createSwapBatch(input: $input) { __typename } }`
const RETRY = `mutation Retry($id: ID!) { retrySwap(input: { id: $id }) { __typename } }`
const READ = 'query Read($id: ID!) { swapJob(id: $id) { id status } }'
const WATCH = 'subscription Watch($id: ID!) { swapJobUpdated(id: $id) { status done } }'

/** Returns a trace id that occurs nowhere else, and its `traceparent`. */
function makeTrace(n: number, flags = '01') {
  const traceId = String(n).padStart(32, '0')
  return { traceId, traceparent: `00-${traceId}-00000000000000${String(n).padStart(2, '0')}-${flags}` }
}

const OF_FIRST_READ = makeTrace(1)
const OF_SSE = makeTrace(2)
const OF_SOCKET = makeTrace(3)
const OF_SOCKET_OPERATION = makeTrace(4)
const OF_REST = makeTrace(5)
const NOT_SAMPLED = makeTrace(6, '00')
const REJECTED = { kind: 'answer', status: 400, body: '{"status":"FAILED","message":"no face"}' } as const

/** Reads the first event, and ends the operation. */
async function readOne(events: AsyncIterableIterator<unknown>): Promise<void> {
  await events.next()
  await events.return?.()
}

async function runWebSocketOperations({ app }: TestApp, id: string): Promise<void> {
  const client = createClient({
    url: `${app.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { ...AUTHORIZATION, traceparent: OF_SOCKET.traceparent },
    retryAttempts: 0,
  })
  closeAfterTest(() => client.dispose())
  await readOne(client.iterate({ query: WATCH, variables: { id } }))
  const extensions = { traceparent: OF_SOCKET_OPERATION.traceparent }
  await readOne(client.iterate({ query: READ, variables: { id }, extensions }))
}

async function runRequests(gateway: TestApp): Promise<void> {
  const { app, upstream } = gateway
  const ask = async (query: string, variables: object = {}, headers: Record<string, string> = {}) =>
    gateway.graphql(query, variables, { ...AUTHORIZATION, ...headers })
  upstream.planSubmits(REJECTED)
  const { data } = await ask(CREATE, { input: INPUT })
  const { id } = data.createSwap.job
  await ask(RETRY, { id })
  await ask(BATCH, { input: { items: [INPUT, INPUT] } })
  for (const headers of [{ traceparent: OF_FIRST_READ.traceparent }, {}, {}]) await ask(READ, { id }, headers)
  await ask('{ swapJob(id: "none") { id } }', {}, { traceparent: 'not a trace context' })
  await ask('query Wrong { nothing }')
  await ask('{')
  await ask(READ, { id }, { traceparent: NOT_SAMPLED.traceparent })
  const headers = { ...AUTHORIZATION, traceparent: OF_SSE.traceparent }
  await readOne(subscribeSse(app.url, WATCH, { id }, undefined, headers))
  await runWebSocketOperations(gateway, id)
  await fetch(`${app.url}/insightFace/v1/swap`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'TT-API-KEY': KEY, traceparent: OF_REST.traceparent },
    body: JSON.stringify({ targetImage: INPUT.targetImage.url, swapImage: INPUT.swapImage.url }),
  })
  const { status } = await postGraphql(app.url, READ, { id }, { authorization: 'Bearer wrong' })
  expect(status).toBe(401)
  expect(gateway.events.filter(({ name }) => name === 'fastPathFellBack').length).toBeGreaterThan(0)
}

describe('a gateway whose traces are on', () => {
  let collector: Collector
  const only = (isWanted: (span: CollectedSpan) => boolean) => collector.spans().filter(isWanted)
  const operations = (name: string | undefined) =>
    only(({ kind, attributes }) => kind === 2 && attributes['graphql.operation.name'] === name)

  beforeAll(async () =>
    closeAfterGroup(async () => {
      collector = await openCollector()
      const settings = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, API_KEYS, REST_API: 'on' }
      const gateway = await openTestApp({ settings })
      await runRequests(gateway)
      await gateway.app.close()
    }),
  )

  test('creates a server span for each query, whether graphql-js, the fast path or its cache handles it', () => {
    const reads = operations('Read').filter(({ attributes }) => attributes['swapface.transport'] === 'http')
    expect(reads).toHaveLength(3)
    for (const read of reads) {
      expect(read).toMatchObject({ name: 'query', isError: false, attributes: { 'graphql.operation.type': 'query' } })
    }
    expect(reads[0]).toMatchObject({ traceId: OF_FIRST_READ.traceId, parentSpanId: '0000000000000001' })
    expect(new Set(reads.map(({ traceId }) => traceId)).size).toBe(3)
  })

  test('creates a server span for an operation over SSE and over WebSocket', () => {
    const [sse, socket] = operations('Watch')
    expect(sse).toMatchObject({ name: 'subscription', traceId: OF_SSE.traceId })
    expect(sse?.attributes).toMatchObject({ 'swapface.transport': 'sse' })
    expect(socket).toMatchObject({ name: 'subscription', traceId: OF_SOCKET.traceId })
    expect(socket?.attributes).toMatchObject({ 'swapface.transport': 'websocket' })
  })

  test('continues the trace of an operation over WebSocket rather than that of its connection', () => {
    const own = only(({ traceId }) => traceId === OF_SOCKET_OPERATION.traceId)
    expect(own).toEqual([expect.objectContaining({ name: 'query', parentSpanId: '0000000000000004' })])
  })

  test('starts a trace for a request without a valid trace context', () => {
    const anonymous = operations(undefined).find(({ name }) => name === 'query')
    expect(anonymous).toMatchObject({ parentSpanId: '', isError: false })
    expect(anonymous?.traceId).toMatch(/^(?!0+$)[\da-f]{32}$/)
  })

  test('marks the span of an invalid operation as failed, with the code of its error', () => {
    expect(operations('Wrong')).toEqual([expect.objectContaining({ name: 'query', isError: true })])
    const [unparsed] = only(({ name }) => name === 'GraphQL Operation')
    expect(unparsed).toMatchObject({ isError: true, attributes: { 'error.type': 'GRAPHQL_PARSE_FAILED' } })
  })

  test('creates a span for each submit below the mutation that created its job', () => {
    const submitsOf = (mutation: string) => {
      const [parent] = operations(mutation)
      return only(({ name, parentSpanId }) => name === 'submit' && parentSpanId === parent?.spanId)
    }
    expect(submitsOf('Create')).toEqual([expect.objectContaining({ isError: true })])
    expect(submitsOf('Create')[0]?.attributes).toMatchObject({ 'error.type': '400', 'swapface.outcome': 'refused' })
    expect(submitsOf('Retry')).toEqual([expect.objectContaining({ isError: false })])
    expect(submitsOf('Batch')).toHaveLength(2)
  })

  test('creates a server span for a call of the REST API, and a submit below it', () => {
    const [server, submit] = only(({ traceId }) => traceId === OF_REST.traceId).toSorted((a, b) => a.kind - b.kind)
    expect(server).toMatchObject({ name: 'POST /insightFace/v1/swap', parentSpanId: '0000000000000005' })
    expect(server?.attributes).toMatchObject({ 'http.response.status_code': 200 })
    expect(submit).toMatchObject({ name: 'submit', parentSpanId: server?.spanId })
  })

  test('exports no span of a trace that its caller does not sample, of a refused credential, or of a secret', () => {
    expect(only(({ traceId }) => traceId === NOT_SAMPLED.traceId)).toEqual([])
    expect(only(({ attributes }) => attributes['http.response.status_code'] === 401)).toEqual([])
    for (const secret of [KEY, 'example.com', 'swapJobUpdated']) expect(collector.text()).not.toContain(secret)
  })
})

test('names spans by operation if only trusted documents run', async () => {
  const collector = await openCollector()
  const settings = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, TRUSTED_DOCUMENTS: 'schema/trusted-documents.json' }
  const gateway = await openTestApp({ settings })
  const documents = JSON.parse(readFileSync('schema/trusted-documents.json', 'utf8')) as Record<string, string>
  const query = Object.values(documents).find((text) => text.trimStart().startsWith('query SwapJob('))
  await gateway.graphql(query ?? '', { id: 'none' })
  await gateway.app.close()
  expect(collector.spans().map(({ name }) => name)).toEqual(['query SwapJob'])
})

test('a gateway whose traces are off stores no trace context and sends none with a webhook', async () => {
  const receiver = await openScriptedHost((_request, response) => response.writeHead(204).end())
  closeAfterTest(() => receiver.close())
  const dataDir = await makeDataDir()
  const gateway = await openTestApp({ dataDir, settings: { ALLOWED_PRIVATE_HOSTS: receiver.host } })
  await gateway.graphql(CREATE, { input: { ...INPUT, hookUrl: receiver.url } }, makeTrace(7))
  const [accepted] = gateway.upstream.accepted
  if (!accepted) throw new Error('nothing was sent')
  accepted.state = { status: 'SUCCESS' }
  await gateway.upstream.sendHook(accepted)
  await until(() => receiver.requests.length > 0)
  expect(receiver.requests[0]?.headers).not.toHaveProperty('traceparent')
  const database = await openRawDatabaseOf(dataDir)
  expect(await database.query('select trace_context from jobs')).toEqual([{ trace_context: null }])
})

test('a collector that refuses spans is reported once, and fails neither a request nor the shutdown', async () => {
  const refusing = await openScriptedHost((_request, response) => response.writeHead(400).end())
  closeAfterTest(() => refusing.close())
  const gateway = await openTestApp({ settings: { OTEL_EXPORTER_OTLP_ENDPOINT: refusing.url } })
  const { data } = await gateway.graphql(READ, { id: 'none' })
  expect(data).toEqual({ swapJob: null })
  await gateway.app.close()
  const failures = gateway.events.filter(({ name }) => name === 'backgroundFailed')
  expect(failures.map(({ args }) => args[0])).toEqual(['export traces'])
})

test('the built program loads OpenTelemetry only if traces are on', () => {
  const seen = new Set<string>()
  const visit = (file: string) => {
    if (seen.has(file)) return
    seen.add(file)
    const text = readFileSync(file, 'utf8')
    for (const [, specifier = ''] of text.matchAll(/^(?:import|export)\b[^'"]*["'](\.[^"']+)["']/gm))
      visit(join(dirname(file), specifier))
  }
  visit('dist/main.js')
  const isTraces = (file: string) => readFileSync(file, 'utf8').includes('OTEL_TRACES_SAMPLER')
  expect(seen.size).toBeGreaterThan(2)
  expect([...seen].filter(isTraces)).toEqual([])
  const [, chunk = ''] =
    /import\("(\.\/chunks\/open-traces-\w+\.js)"\)/.exec(readFileSync('dist/main.js', 'utf8')) ?? []
  expect(isTraces(join('dist', chunk))).toBe(true)
})
