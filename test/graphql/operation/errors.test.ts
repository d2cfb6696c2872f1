import { GraphQLError } from 'graphql'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { GatewayError } from '../../../src/domain/errors.ts'
import { createErrorMask } from '../../../src/graphql/operation/errors.ts'
import { CreateSwapDocument, WatchSwapJobDocument } from '../../support/generated.ts'
import { connectWire } from '../../support/live-stage.ts'
import { makeDataDir, openRawDatabaseOf, openTestApp, subscribeSse } from '../../support/test-app.ts'
import { until } from '../../support/until.ts'

afterEach(() => vi.unstubAllEnvs())

const INPUT = { targetImage: { url: 'https://example.com/t.jpg' }, swapImage: { url: 'https://example.com/f.jpg' } }

test('an unexpected error is masked by one plain sentence, and reported with its request', () => {
  const reported: unknown[] = []
  const mask = createErrorMask((...args) => reported.push(args))
  const secret = new Error('SQLITE_ERROR: no such column api_key')
  const masked = mask(new GraphQLError(secret.message, { originalError: secret, path: ['swapJob'] }), 'request-1')
  expect(masked).toMatchObject({
    message: 'Unexpected error.',
    path: ['swapJob'],
    extensions: { code: 'INTERNAL_SERVER_ERROR' },
  })
  expect(JSON.stringify(masked)).not.toContain('SQLITE')
  expect(reported).toEqual([[secret, 'request-1']])
})

test('an unexpected error without data has the status 500; an error of a field does not change the status', () => {
  const mask = createErrorMask(() => {})
  expect(mask(new Error('x'), null).extensions).toEqual({ code: 'INTERNAL_SERVER_ERROR', http: { status: 500 } })
  const ofField = new GraphQLError('x', { originalError: new Error('x'), path: ['a'] })
  expect(mask(ofField, null).extensions).toEqual({ code: 'INTERNAL_SERVER_ERROR' })
})

test('a failed call keeps its message and gets its code', () => {
  const mask = createErrorMask(() => {})
  const gone = new GatewayError('NOT_FOUND', 'The job does not exist.')
  expect(mask(new GraphQLError('x', { originalError: gone, path: ['a'] }), null)).toMatchObject({
    message: 'The job does not exist.',
    extensions: { code: 'NOT_FOUND' },
  })
})

test.each(['development', 'production', 'test'])(
  'a broken database reveals nothing over HTTP and SSE with NODE_ENV=%s, and nothing is sent upstream',
  async (NODE_ENV) => {
    vi.stubEnv('NODE_ENV', NODE_ENV)
    const dataDir = await makeDataDir()
    const gateway = await openTestApp({ dataDir })
    await gateway.graphql(CreateSwapDocument.toString(), { input: INPUT })
    await (await openRawDatabaseOf(dataDir)).exec('alter table jobs rename to gone')

    const created = await gateway.graphql(CreateSwapDocument.toString(), { input: INPUT })
    const events: unknown[] = []
    for await (const event of subscribeSse(gateway.app.url, WatchSwapJobDocument.toString(), {
      // The job is not in the job cache.
      id: 'job_01m85rgrwsfbw421efww64236k',
    })) {
      events.push(event)
    }
    expect(created).toMatchObject({ errors: [{ extensions: { code: 'UNAVAILABLE' } }] })
    expect(events).toMatchObject([
      { errors: [{ message: 'Unexpected error.', extensions: { code: 'INTERNAL_SERVER_ERROR' } }] },
    ])
    expect(JSON.stringify([created, events])).not.toMatch(/jobs|sqlite|stack|\.ts/i)
    expect(gateway.upstream.submits).toBe(1)
    expect((await fetch(`${gateway.app.url}/readyz`)).status).toBe(503)
  },
)

describe('the HTTP status is in no extension of the error', () => {
  const DOCUMENTS = {
    'of a document that does not parse': '{ nope',
    'of a document that is not valid': '{ nope }',
    'of a document that is too deep': `${'{ a '.repeat(11)}${'}'.repeat(11)}`,
    'of a document with too many tokens': `{ ${'a '.repeat(2_001)} }`,
    'of variables that do not fit': 'query ($id: ID!) { swapJob(id: $id) { id } }',
    'of a subscription whose variables do not fit': 'subscription ($id: ID!) { swapJobUpdated(id: $id) { id } }',
    'of a subscription to a job that does not exist': 'subscription { swapJobUpdated(id: "job_x") { id } }',
    'of a field that fails': '{ swapJob(id: "x", waitMs: -1) { id } }',
  }

  const overSse = async (url: string, query: string): Promise<unknown> => {
    const events = []
    for await (const event of subscribeSse(url, query, {})) events.push(event)
    return events[0]?.errors
  }
  const overWebSocket = async (url: string, query: string): Promise<unknown> => {
    const { init, subscribe, messages } = connectWire(url)
    await init()
    subscribe('1', query)
    const { type, payload } = await until(() => messages.find(({ id }) => id === '1'))
    // A failed field is reported in an execution result.
    return type === 'error' ? payload : (payload as { readonly errors?: unknown }).errors
  }

  test.each(Object.entries(DOCUMENTS))('%s, over SSE and WebSocket', async (_what, query) => {
    const { app } = await openTestApp()
    for (const errors of [await overSse(app.url, query), await overWebSocket(app.url, query)]) {
      expect(errors).toMatchObject([{ extensions: { code: expect.stringMatching(/^[A-Z_]+$/) } }])
      expect(JSON.stringify(errors)).not.toContain('"http"')
    }
  })

  test.each(['{ __typename }', 'subscription { swapJobsUpdated { kind } }'])(
    'of %s if the requests of the caller are used up, over SSE and WebSocket',
    async (query) => {
      const { app, graphql } = await openTestApp({ settings: { TENANT_REQUESTS_PER_MINUTE: '1' } })
      await graphql('{ __typename }')
      for (const errors of [await overSse(app.url, query), await overWebSocket(app.url, query)]) {
        expect(errors).toMatchObject([{ extensions: { code: 'RATE_LIMITED' } }])
        expect(JSON.stringify(errors)).not.toContain('"http"')
      }
    },
  )
})
