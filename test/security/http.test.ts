/** Malformed HTTP: the gateway responds or closes the connection, serves the next request, and reveals nothing. */
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KEYS, openStage, post, read, sendRaw, type Stage } from './stage.ts'

let stage: Stage
beforeAll(async () => {
  stage = await openStage()
}, 60_000)
afterAll(() => stage.close())

const BODY = '{"query":"{ __typename }"}'
const head = (lines: readonly string[]) =>
  [
    'POST /graphql HTTP/1.1',
    'Host: 127.0.0.1',
    `X-API-Key: ${KEYS.acme}`,
    'Content-Type: application/json',
    ...lines,
    '',
    '',
  ].join('\r\n')

describe('a request on the wire', () => {
  test.each<[string, () => string | Buffer, RegExp]>([
    [
      'with both a length and chunks',
      () =>
        `${head([`Content-Length: ${BODY.length}`, 'Transfer-Encoding: chunked'])}0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n`,
      /^HTTP\/1\.1 400/,
    ],
    ['with two lengths', () => `${head(['Content-Length: 5', 'Content-Length: 26'])}${BODY}`, /^HTTP\/1\.1 400/],
    ['with a malformed length', () => `${head(['Content-Length: 26abc'])}${BODY}`, /^HTTP\/1\.1 400/],
    [
      'with an obscure transfer encoding',
      () => `${head(['Transfer-Encoding: xchunked'])}${BODY}`,
      /^HTTP\/1\.1 (?:400|501)/,
    ],
    [
      'with a chunk size that is none',
      () => `${head(['Transfer-Encoding: chunked'])}zz\r\n${BODY}\r\n0\r\n\r\n`,
      /^HTTP\/1\.1 400|^$/,
    ],
    ['without a host', () => 'GET /healthz HTTP/1.1\r\n\r\n', /^HTTP\/1\.1 400/],
    [
      'with a header that is folded',
      () => 'GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n 2\r\n\r\n',
      /^HTTP\/1\.1 (?:400|200)/,
    ],
    ['with a NUL in a header', () => 'GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: 1\0\r\n\r\n', /^HTTP\/1\.1 400/],
    ['with a line feed alone', () => 'GET /healthz HTTP/1.1\nHost: a\n\n', /^HTTP\/1\.1 400/],
    [
      'with 20 kB of headers',
      () => `GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`,
      /^HTTP\/1\.1 431/,
    ],
    [
      'with thousands of headers',
      () => `GET /healthz HTTP/1.1\r\nHost: a\r\n${'X-Filler: aaaaaaaa\r\n'.repeat(5_000)}\r\n`,
      /^HTTP\/1\.1 431|^$/,
    ],
    ['that is TLS', () => Buffer.from('16030100c8010000c40303', 'hex'), /^HTTP\/1\.1 400|^$/],
    ['of another protocol', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', /^HTTP\/1\.1 400|^$/],
    ['that is a proxy’s', () => 'CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: a\r\n\r\n', /^(?!HTTP\/1\.1 2)/],
    [
      'for an absolute address',
      () => 'GET http://169.254.169.254/latest HTTP/1.1\r\nHost: a\r\n\r\n',
      /^HTTP\/1\.1 404/,
    ],
    ['of an unknown method', () => 'BREW /graphql HTTP/1.1\r\nHost: a\r\n\r\n', /^HTTP\/1\.1 4/],
    [
      'that traces',
      () => 'TRACE /graphql HTTP/1.1\r\nHost: a\r\nX-Secret: canary\r\n\r\n',
      /^HTTP\/1\.1 4(?![\s\S]*canary)/,
    ],
  ])('%s', async (_what, bytes, answer) => {
    expect(await sendRaw(stage.port, bytes())).toMatch(answer)
    expect((await fetch(`${stage.url}/healthz`)).status).toBe(200)
  })
})

describe('a path', () => {
  test.each([
    '/../../etc/passwd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/graphql/..%2f..%2fdata',
    '//graphql',
    '/graphql/',
    '/GRAPHQL',
    '/hooks/swapface/../../graphql',
    '/.env',
    '/.git/config',
    '/data/gateway.db',
    '/metrics',
    '/%00',
    '/graphql%00',
  ])('%s is not found', async (path) => {
    const answer = await sendRaw(
      stage.port,
      `GET ${path} HTTP/1.1\r\nHost: a\r\nX-API-Key: ${KEYS.acme}\r\nConnection: close\r\n\r\n`,
    )
    expect(answer).toMatch(/^HTTP\/1\.1 40[045]/)
    expect(answer).not.toMatch(/root:|SQLite/)
  })
})

describe('a body', () => {
  test.each<[string, string | Buffer, Record<string, string>, number]>([
    ['of more than 256 kB', `{"query":"{ __typename } #${'x'.repeat(300_000)}"}`, {}, 413],
    ['that is compressed', gzipSync(BODY), { 'content-encoding': 'gzip' }, 415],
    ['that is not JSON', '{"query":', {}, 400],
    ['that is not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]), {}, 400],
    ['that is nested 100,000 deep', '['.repeat(100_000), {}, 400],
    ['that is a text', '"{ __typename }"', {}, 400],
    ['that is null', 'null', {}, 400],
    ['whose query is a number', '{"query":1}', {}, 400],
    ['whose variables are a list', '{"query":"{ __typename }","variables":[1]}', {}, 400],
    ['whose variables are a text', '{"query":"{ __typename }","variables":"{}"}', {}, 400],
    ['whose extensions are a text', '{"query":"{ __typename }","extensions":"{}"}', {}, 400],
    [
      'that names a document that does not exist',
      `{"documentId":"${'a'.repeat(64)}"}`,
      { accept: 'application/graphql-response+json' },
      400,
    ],
    ['in another charset’s bytes', Buffer.from('{"query":"{ __typename }"}', 'utf16le'), {}, 400],
  ])('%s', async (_what, body, headers, status) => {
    const response = await fetch(`${stage.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': KEYS.acme, ...headers },
      body: new Uint8Array(Buffer.from(body)),
    })
    const answer = await read(response)
    expect(answer.status).toBe(status)
    expect(answer.text).not.toMatch(/SyntaxError|at JSON|position \d/)
  })

  test('that tries to pollute object prototypes changes nothing', async () => {
    const poison =
      '{"query":"{ __typename }","variables":{"__proto__":{"polluted":1}},"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'
    expect((await post(stage.url, poison)).status).toBe(200)
    expect((await post(stage.url, { query: '{ __typename }' })).json).toEqual({ data: { __typename: 'Query' } })
  })
})

test('a multipart upload to the GraphQL endpoint is refused', async () => {
  const form = new FormData()
  form.set('operations', BODY)
  form.set('map', '{}')
  const response = await fetch(`${stage.url}/graphql`, {
    method: 'POST',
    headers: { 'x-api-key': KEYS.acme },
    body: form,
  })
  expect(response.status).toBe(415)
})

test('every response forbids caching, sniffing and framing', async () => {
  for (const path of [
    '/',
    '/graphql',
    '/graphql?query={__typename}',
    '/healthz',
    '/readyz',
    '/nothing',
    '/hooks/swapface/x',
  ]) {
    const { headers } = await fetch(`${stage.url}${path}`, { headers: { 'x-api-key': KEYS.acme } })
    expect(headers.get('cache-control'), path).toBe('private, no-store')
    expect(headers.get('x-content-type-options'), path).toBe('nosniff')
    expect(headers.get('x-frame-options'), path).toBe('DENY')
    expect(headers.get('content-security-policy'), path).toContain("frame-ancestors 'none'")
    expect(headers.get('x-powered-by'), path).toBeNull()
    expect(headers.get('server'), path).toBeNull()
  }
})
