/** Refused requests: the status follows the media type, and a code and a message name the cause. */
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, test } from 'vitest'
import { sha256 } from '../../src/lib/crypto/sha256.ts'
import { closeAfterGroup } from '../support/close-after-test.ts'
import { openTestApp, type TestApp } from '../support/test-app.ts'

/** Refused requests change no state, so one gateway serves all tests. */
let gateway: TestApp
beforeAll(async () =>
  closeAfterGroup(async () => {
    gateway = await openTestApp()
  }),
)

const QUERY = '{ swapService { accepting } }'
const HASH = 'a'.repeat(64)
const APQ = { extensions: { persistedQuery: { version: 1, sha256Hash: HASH } } }

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly errors: readonly { readonly message: string; readonly extensions: Record<string, unknown> }[]
}

async function send(url: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(url, init)
  const { errors = [] } = (await response.json()) as Partial<Answer>
  return { status: response.status, headers: response.headers, errors }
}

async function post(
  { app }: TestApp,
  body: string | Uint8Array<ArrayBuffer> | object,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const isBytes = typeof body === 'string' || body instanceof Uint8Array
  return send(`${app.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: isBytes ? new Uint8Array(Buffer.from(body)) : JSON.stringify(body),
  })
}

const get = async ({ app }: TestApp, params: Record<string, string>, headers: Record<string, string>) =>
  send(`${app.url}/graphql?${new URLSearchParams(params).toString()}`, { headers })

describe('a document that cannot run', () => {
  const DOCUMENTS: Record<string, [body: Record<string, unknown>, code: string]> = {
    'because it does not parse': [{ query: '{ swapService {' }, 'GRAPHQL_PARSE_FAILED'],
    'because it is a comment': [{ query: '# nothing' }, 'GRAPHQL_PARSE_FAILED'],
    'because it is not valid': [{ query: '{ nope }' }, 'GRAPHQL_VALIDATION_FAILED'],
    'because it is too deep': [{ query: `${'{ a '.repeat(11)}${'}'.repeat(11)}` }, 'DOCUMENT_TOO_LARGE'],
    'because it has too many tokens': [{ query: `{ ${'a '.repeat(2_001)} }` }, 'DOCUMENT_TOO_LARGE'],
    'because its variables do not fit': [
      { query: 'query ($id: ID!) { swapJob(id: $id) { id } }', variables: { id: {} } },
      'BAD_USER_INPUT',
    ],
    'because it has no operation of that name': [
      { query: `query A ${QUERY}`, operationName: 'B' },
      'OPERATION_RESOLUTION_FAILURE',
    ],
    'because it has no operation': [{ query: 'fragment F on Query { __typename }' }, 'OPERATION_RESOLUTION_FAILURE'],
    'because only its digest was sent': [APQ, 'PERSISTED_QUERY_NOT_SUPPORTED'],
    'because there are no trusted documents': [{ documentId: HASH }, 'DOCUMENT_NOT_FOUND'],
  }

  test.each(Object.entries(DOCUMENTS))('%s gets 200 as JSON, 400 as a GraphQL response', async (_why, [body, code]) => {
    const params = Object.fromEntries(
      Object.entries(body).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]),
    )
    for (const [accept, status, type] of [
      ['application/json', 200, 'application/json'],
      ['*/*', 200, 'application/json'],
      ['application/json, text/plain, */*', 200, 'application/json'],
      ['application/graphql-response+json', 400, 'application/graphql-response+json'],
      ['application/graphql-response+json,application/json;q=0.9', 400, 'application/graphql-response+json'],
    ] as const) {
      // Sent twice: the second response may come from a cache.
      for (const ask of [
        post(gateway, body, { accept }),
        post(gateway, body, { accept }),
        get(gateway, params, { accept }),
      ]) {
        const answer = await ask
        expect([answer.status, answer.errors[0]?.extensions['code']], accept).toEqual([status, code])
        expect(answer.headers.get('content-type')).toBe(`${type}; charset=utf-8`)
        expect(answer.errors[0]?.extensions).not.toHaveProperty('http')
      }
    }
  })

  test('of which only a digest was sent gets the message that clients of persisted queries compare', async () => {
    const expected = [{ message: 'PersistedQueryNotSupported', extensions: { code: 'PERSISTED_QUERY_NOT_SUPPORTED' } }]
    expect((await post(gateway, APQ)).errors).toEqual(expected)
    expect((await get(gateway, { extensions: JSON.stringify(APQ.extensions) }, {})).errors).toEqual(expected)
    const both = await gateway.graphql(QUERY)
    expect((await post(gateway, { query: QUERY, ...APQ })).errors).toEqual([])
    expect(both.data.swapService.accepting).toBe(true)
  })
})

describe('a malformed body', () => {
  const BODIES: Record<string, [body: string | Uint8Array | object, code: string, message: RegExp]> = {
    'that is empty': ['', 'INVALID_JSON', /empty/],
    'that is not JSON': ['{"query":', 'INVALID_JSON', /not valid JSON/],
    'in UTF-16': [Buffer.from(JSON.stringify({ query: QUERY }), 'utf16le'), 'INVALID_JSON', /JSON/],
    'in Latin-1': [Buffer.from('{"query":"{ __typename } # \u00e9"}', 'latin1'), 'INVALID_JSON', /UTF-8/],
    'that is a text': ['"{ __typename }"', 'INVALID_BODY', /JSON object/],
    'that is a list': [[{ query: QUERY }], 'BATCHING_NOT_SUPPORTED', /one operation per request/],
    'without a document': [{ variables: {} }, 'MISSING_QUERY', /`query`/],
    'with an empty document': [{ query: '' }, 'MISSING_QUERY', /`query`/],
    'whose query is an object': [{ query: {} }, 'INVALID_QUERY', /`query` must be a string/],
    'whose variables are a text': [
      { query: QUERY, variables: '{"id":"x"}' },
      'INVALID_VARIABLES',
      /`variables` was sent as a string/,
    ],
    'whose variables are an empty text': [
      { query: QUERY, variables: '' },
      'INVALID_VARIABLES',
      /`variables` was sent as a string/,
    ],
    'whose variables are a list': [
      { query: QUERY, variables: [] },
      'INVALID_VARIABLES',
      /`variables` must be a JSON object/,
    ],
    'whose extensions are a text': [
      { query: QUERY, extensions: '{}' },
      'INVALID_EXTENSIONS',
      /`extensions` was sent as a string/,
    ],
    'whose extensions are a number': [
      { query: QUERY, extensions: 1 },
      'INVALID_EXTENSIONS',
      /`extensions` must be a JSON object/,
    ],
    'whose operation name is a number': [
      { query: QUERY, operationName: 1 },
      'INVALID_OPERATION_NAME',
      /`operationName` must/,
    ],
    'whose operation name is too long': [
      { query: QUERY, operationName: 'A'.repeat(129) },
      'INVALID_OPERATION_NAME',
      /128 characters/,
    ],
    'whose document id is a number': [{ documentId: 1 }, 'INVALID_DOCUMENT_ID', /`documentId` must be a string/],
  }

  test.each(Object.entries(BODIES))(
    '%s gets 400 whatever the media type, and its own code',
    async (_what, [body, code, message]) => {
      for (const accept of ['application/json', 'application/graphql-response+json']) {
        const answer = await post(gateway, body, { accept })
        expect([answer.status, answer.errors[0]?.extensions]).toEqual([400, { code }])
        expect(answer.errors[0]?.message).toMatch(message)
      }
    },
  )

  test('a byte order mark before the JSON is skipped', async () => {
    const body = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(JSON.stringify({ query: QUERY }))])
    for (let n = 0; n < 3; n += 1) {
      const { status, errors } = await post(gateway, body)
      expect([status, errors]).toEqual([200, []])
    }
  })

  test('null counts as an absent member', async () => {
    const body = { query: QUERY, variables: null, operationName: null, extensions: null, documentId: null }
    expect(await post(gateway, body)).toMatchObject({ status: 200, errors: [] })
  })
})

test.each([
  ['variables', '{', 'INVALID_VARIABLES', /`variables` is not valid JSON/],
  ['variables', '[1]', 'INVALID_VARIABLES', /`variables` must be a JSON object/],
  ['extensions', '{', 'INVALID_EXTENSIONS', /`extensions` is not valid JSON/],
])('a GET with %s=%s gets 400 and a message that names the parameter', async (name, value, code, message) => {
  const { status, errors } = await get(gateway, { query: QUERY, [name]: value }, { accept: 'application/json' })
  expect([status, errors[0]?.extensions, errors[0]?.message]).toEqual([400, { code }, expect.stringMatching(message)])
})

describe('the headers of a body', () => {
  const bytes = new Uint8Array(gzipSync(JSON.stringify({ query: QUERY })))
  const text = JSON.stringify({ query: QUERY })

  test.each<[string, string | Uint8Array<ArrayBuffer>, Record<string, string>, string, RegExp]>([
    ['a gzip body', bytes, { 'content-encoding': 'gzip' }, 'UNSUPPORTED_CONTENT_ENCODING', /content-encoding/],
    ['a br body', text, { 'content-encoding': 'br' }, 'UNSUPPORTED_CONTENT_ENCODING', /content-encoding/],
    [
      'a body of a form',
      text,
      { 'content-type': 'application/x-www-form-urlencoded' },
      'UNSUPPORTED_MEDIA_TYPE',
      /content-type: application\/json/,
    ],
    ['a bare document', QUERY, { 'content-type': 'application/graphql' }, 'UNSUPPORTED_MEDIA_TYPE', /JSON body/],
    ['plain text', text, { 'content-type': 'text/plain' }, 'UNSUPPORTED_MEDIA_TYPE', /application\/json/],
    ['an empty type', text, { 'content-type': '' }, 'UNSUPPORTED_MEDIA_TYPE', /application\/json/],
    [
      'another charset',
      text,
      { 'content-type': 'application/json; charset=utf-16' },
      'UNSUPPORTED_MEDIA_TYPE',
      /UTF-8/,
    ],
  ])('are refused with 415 and a message that names the header for %s', async (_what, body, headers, code, message) => {
    const { status, errors } = await post(gateway, body, headers)
    expect([status, errors[0]?.extensions]).toEqual([415, { code }])
    expect(errors[0]?.message).toMatch(message)
  })

  test.each<Record<string, string>>([
    { 'content-encoding': 'identity' },
    { 'content-type': 'application/json; charset=UTF-8' },
    { 'content-type': 'application/json;charset="utf-8"' },
    { 'content-type': 'Application/JSON' },
    { 'content-type': 'application/graphql+json' },
  ])('%o are accepted', async (headers) => {
    expect(await post(gateway, text, headers)).toMatchObject({ status: 200, errors: [] })
  })
})

describe('an accept header that cannot be served', () => {
  test('gets 406 and a body that names the supported types, the same each time', async () => {
    for (const accept of ['application/xml', 'multipart/mixed', 'application/json;q=0', 'application/xml']) {
      const { status, headers, errors } = await post(gateway, { query: QUERY }, { accept })
      expect([status, headers.get('content-type'), headers.get('accept')]).toEqual([
        406,
        'application/json; charset=utf-8',
        null,
      ])
      expect(errors).toEqual([
        {
          message:
            'The accept header names no type that can be served. Accept application/graphql-response+json or application/json; for a subscription, accept text/event-stream (SSE) or use a WebSocket with the subprotocol graphql-transport-ws.',
          extensions: { code: 'NOT_ACCEPTABLE' },
        },
      ])
    }
  })

  test.each([
    'application/json',
    'application/graphql-response+json',
    'multipart/mixed;boundary="graphql";subscriptionSpec=1.0,application/json',
  ])('a subscription that accepts %s gets 406, and a message that names SSE and WebSocket', async (accept) => {
    for (const query of [
      'subscription { swapJobsUpdated { kind } }',
      `query A ${QUERY} subscription B { swapJobsUpdated { kind } }`,
    ]) {
      const { status, errors } = await post(
        gateway,
        { query, operationName: query.includes('B') ? 'B' : null },
        { accept },
      )
      expect([status, errors[0]?.extensions]).toEqual([406, { code: 'NOT_ACCEPTABLE' }])
      expect(errors[0]?.message).toMatch(/text\/event-stream.*graphql-transport-ws/)
    }
    // Errors of the document come first.
    const invalid = await post(gateway, { query: 'subscription { nope }' }, { accept })
    expect(invalid.errors[0]?.extensions['code']).toBe('GRAPHQL_VALIDATION_FAILED')
  })

  test.each(['*/*', 'application/json, text/event-stream', 'application/json, text/event-stream;q=0.1'])(
    'a subscription that accepts %s gets a stream, and a query gets JSON',
    async (accept) => {
      const { app } = gateway
      const query = `query Ask ${QUERY} subscription Watch { swapJobsUpdated { kind } }`
      const ask = async (operationName: string) =>
        fetch(`${app.url}/graphql`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', accept },
          body: JSON.stringify({ query, operationName }),
        })
      const stream = await ask('Watch')
      expect(stream.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
      const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader()
      expect((await reader?.read())?.value).toContain('"kind":"CAUGHT_UP"')
      await reader?.cancel()
      expect(await (await ask('Ask')).json()).toEqual({ data: { swapService: { accepting: true } } })
    },
  )
})

describe('statuses that do not depend on the document', () => {
  test.each(['application/json', 'application/graphql-response+json'])('are the same for %s', async (accept) => {
    const settings = { API_KEYS: `a:${sha256('key-of-a')}`, TENANT_REQUESTS_PER_MINUTE: '2' }
    const limited = await openTestApp({ settings })
    const url = `${limited.app.url}/graphql`
    const own = { authorization: 'Bearer key-of-a', accept }
    expect((await post(limited, { query: QUERY }, { accept })).status).toBe(401)
    expect((await send(url, { method: 'PUT', headers: own })).status).toBe(405)
    expect((await post(limited, 'x'.repeat(300_000), own)).status).toBe(413)
    const mutation = 'mutation { forgetSwaps(input: { ids: ["x"] }) { __typename } }'
    expect((await get(limited, { query: mutation }, own)).status).toBe(405)
    await post(limited, { query: QUERY }, own)
    const spent = await post(limited, { query: QUERY }, own)
    expect([spent.status, spent.errors[0]?.extensions]).toEqual([429, { code: 'RATE_LIMITED' }])
    expect(
      (await send(url, { headers: { ...own, origin: 'https://other.example.com' } }).catch(() => null))?.status,
    ).toBe(403)
  })
})

test('a path with a trailing slash gets a 404 that names the path that is served', async () => {
  const { app } = gateway
  const response = await fetch(`${app.url}/graphql/`, { method: 'POST', body: JSON.stringify({ query: QUERY }) })
  expect([response.status, await response.text()]).toEqual([404, expect.stringContaining('GraphQL is at /graphql.')])
})
