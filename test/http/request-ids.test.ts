/** Every response has the id of its request, and so have the log lines about it. */
import { describe, expect, test } from 'vitest'
import { makeDataDir, openRawDatabaseOf, openTestApp, type TestApp } from '../support/test-app.ts'

const IMAGES = 'targetImage: { url: "https://example.com/t.jpg" }, swapImage: { url: "https://example.com/f.jpg" }'
const CREATE = `mutation { createSwap(input: { ${IMAGES} }) { ... on CreateSwapSuccess { job { id } } } }`
const BATCH = `mutation { createSwapBatch(input: { items: [{ ${IMAGES} }] }) { __typename } }`

const eventsOf = ({ events }: TestApp, event: string) =>
  events.flatMap(({ name, args }) => (name === event ? [args] : []))

test.each<[string, string, RequestInit]>([
  ['a query', '/graphql?query={__typename}', {}],
  ['a refused document', '/graphql?query={', {}],
  ['a stream', '/graphql?query={__typename}', { headers: { accept: 'text/event-stream' } }],
  ['a hook with a wrong token', '/hooks/swapface/job_1.x', { method: 'POST', body: '{}' }],
  ['an upload that was not reserved', '/uploads/img_1', { method: 'PUT', body: 'x' }],
  ['an image that does not exist', '/images/img_1', {}],
  ['a REST call', '/insightFace/v1/fetch?jobId=job_1', {}],
  ['the page', '/', {}],
  ['a readiness probe', '/readyz', {}],
  ['an unknown path', '/nowhere', {}],
  ['a preflight', '/graphql', { method: 'OPTIONS', headers: { 'access-control-request-method': 'POST' } }],
])('the response to %s has the id that the request brought, or a new one', async (_what, path, init) => {
  const { app } = await openTestApp({ settings: { REST_API: 'on' } })
  const ask = async (id: object) => {
    const headers = { ...Object.fromEntries(new Headers(init.headers)), ...id }
    const response = await fetch(`${app.url}${path}`, { ...init, headers })
    await response.body?.cancel()
    return response.headers.get('x-request-id')
  }
  expect(await ask({ 'x-request-id': 'of-the-proxy/1' })).toBe('of-the-proxy/1')
  const [first, second] = [await ask({}), await ask({})]
  expect(first).toMatch(/^[\da-f]{12}-\w+$/)
  expect(second).not.toBe(first)
})

test.each([
  ['has a space', 'a b'],
  ['is longer than 128 characters', 'a'.repeat(129)],
  ['is empty', ''],
  ['is not ASCII', 'é'],
])('an id of a request that %s is replaced', async (_what, id) => {
  const { app } = await openTestApp()
  const response = await fetch(`${app.url}/healthz`, { headers: { 'x-request-id': id } })
  expect(response.headers.get('x-request-id')).toMatch(/^[\da-f]{12}-\w+$/)
})

test('responses from the cache have the id of their own request', async () => {
  const { app } = await openTestApp()
  const ids = []
  for (const id of ['one', 'two', 'three', 'four']) {
    const response = await fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-request-id': id },
      body: '{"query":"{ swapJobs { nodes { id } } }"}',
    })
    ids.push([response.headers.get('x-request-id'), await response.json()])
  }
  const data = { data: { swapJobs: { nodes: [] } } }
  expect(ids).toEqual(['one', 'two', 'three', 'four'].map((id) => [id, data]))
})

describe('the log', () => {
  const id = { 'x-request-id': 'of-the-proxy' }

  test('names the request that created a swap, alone, in a batch, as a retry and through the REST API', async () => {
    const gateway = await openTestApp({ settings: { REST_API: 'on' } })
    const refused = { kind: 'answer', status: 400, body: '{"status":"FAILED","data":null}' } as const
    gateway.upstream.planSubmits(refused)
    await gateway.graphql(CREATE, {}, { 'x-request-id': 'created' })
    const [[job]] = eventsOf(gateway, 'jobCreated') as [[{ id: string }]]
    const retry = 'mutation ($id: ID!) { retrySwap(input: { id: $id }) { __typename } }'
    await gateway.graphql(retry, { id: job.id }, { 'x-request-id': 'retried' })
    await gateway.graphql(BATCH, {}, { 'x-request-id': 'in-a-batch' })
    await fetch(`${gateway.app.url}/insightFace/v1/swap`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-request-id': 'over-rest' },
      body: JSON.stringify({ targetImage: 'https://example.com/t.jpg', swapImage: 'https://example.com/f.jpg' }),
    })
    const ids = eventsOf(gateway, 'jobCreated').map(([, requestId]) => requestId)
    expect(ids).toEqual(['created', 'retried', 'in-a-batch', 'over-rest'])
  })

  test('names the request that failed unexpectedly, or could not be recorded', async () => {
    const dataDir = await makeDataDir()
    const gateway = await openTestApp({ dataDir })
    const database = await openRawDatabaseOf(dataDir)
    await database.query('alter table jobs rename to gone')
    const { errors } = await gateway.graphql('{ swapJobs { nodes { id } } }', {}, id)
    expect(errors?.[0]?.extensions?.code).toBe('INTERNAL_SERVER_ERROR')
    expect(eventsOf(gateway, 'requestErred')).toEqual([[expect.any(Error), 'of-the-proxy']])
    await gateway.graphql(CREATE, {}, id)
    expect(eventsOf(gateway, 'jobNotRecorded')).toEqual([[expect.any(Error), 'of-the-proxy']])
    await database.query('alter table gone rename to jobs')
  })

  test('has one line for a request that is answered with a server error, with its code', async () => {
    const dataDir = await makeDataDir()
    const gateway = await openTestApp({ dataDir, settings: { REST_API: 'on' } })
    const database = await openRawDatabaseOf(dataDir)
    await database.query('alter table jobs rename to gone')
    const response = await fetch(`${gateway.app.url}/insightFace/v1/fetch?jobId=job_1`, { headers: id })
    expect(response.status).toBe(500)
    expect(eventsOf(gateway, 'requestFailed')).toEqual([['of-the-proxy', 'GET', 500, 'INTERNAL_SERVER_ERROR']])
    await database.query('alter table gone rename to jobs')
  })
})
