/** Requests that a page of another origin can send by a browser: none is executed, and no response is readable. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeDataDir, openTestApp } from '../support/test-app.ts'
import { ALLOWED_ORIGIN, KEYS, openStage, openWire, post, read, sendRaw, type Stage } from './stage.ts'

let stage: Stage
beforeAll(async () => {
  stage = await openStage()
}, 60_000)
afterAll(() => stage.close())

const MUTATION =
  'mutation { createSwap(input: { targetImage: { url: "https://example.com/t" }, swapImage: { url: "https://example.com/f" } }) { __typename } }'

describe('a request that a browser sends without a preflight', () => {
  test.each([
    'text/plain',
    'text/plain;application/json',
    'text/plain; charset=application/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonp',
    'TEXT/PLAIN',
    'text/html',
    '*/*',
    ' ',
  ])('is refused as a POST of the type %j', async (type) => {
    const { status } = await post(stage.url, { query: MUTATION }, { 'content-type': type })
    expect(status).toBe(415)
    expect(stage.upstream.submits).toBe(0)
  })

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'image/png', 'message/http'])(
    'is refused as a GET of the type %s',
    async (type) => {
      const headers = { 'content-type': type, 'x-api-key': KEYS.acme }
      expect((await fetch(`${stage.url}/graphql?query={__typename}`, { headers })).status).toBe(415)
    },
  )

  test('changes nothing as a GET', async () => {
    const address = `${stage.url}/graphql?query=${encodeURIComponent(MUTATION)}`
    for (const accept of ['application/json', 'text/event-stream']) {
      const answer = await read(await fetch(address, { headers: { 'x-api-key': KEYS.acme, accept } }))
      expect(answer.text).toContain('POST')
    }
    expect(stage.upstream.submits).toBe(0)
  })
})

describe('a request that the browser marks as cross-site', () => {
  test.each([
    ['an image', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }],
    ['a script', { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'script' }],
    ['a frame', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }],
    ['an object', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'embed' }],
  ])('is refused for %s', async (_what, headers) => {
    const query = 'GET /graphql?query={__typename} HTTP/1.1\r\nHost: a\r\n'
    const lines = Object.entries({ ...headers, 'x-api-key': KEYS.acme }).map(([name, value]) => `${name}: ${value}\r\n`)
    // Node's fetch would set these headers itself.
    expect(await sendRaw(stage.port, `${query}${lines.join('')}Connection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 403/)
  })
})

const FOREIGN = [
  'https://evil.example',
  'null',
  'https://app.example.com.evil.example',
  'https://evilapp.example.com',
  'http://app.example.com',
  'https://app.example.com:8443',
  'https://APP.EXAMPLE.COM@evil.example',
  'file://',
  'not an origin',
]

describe.each(FOREIGN)('the origin %s', (origin) => {
  test('is refused, for requests and for preflights', async () => {
    const { status, headers } = await post(stage.url, { query: '{ __typename }' }, { origin })
    expect([status, headers.get('access-control-allow-origin')]).toEqual([403, null])
    const preflight = await fetch(`${stage.url}/graphql`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-api-key' },
    })
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([403, null])
  })

  test('opens no WebSocket', async () => {
    expect(await openWire(stage.url, { origin }).closed).toBe(0)
  })
})

describe('an origin that is allowed', () => {
  test('passes the preflight, gets a response, and may read the rate limit headers', async () => {
    const preflight = await fetch(`${stage.url}/graphql`, {
      method: 'OPTIONS',
      headers: { origin: ALLOWED_ORIGIN, 'access-control-request-method': 'POST' },
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-origin')).toBe(ALLOWED_ORIGIN)
    expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization')
    const { status, headers } = await post(stage.url, { query: '{ __typename }' }, { origin: ALLOWED_ORIGIN })
    expect([status, headers.get('access-control-allow-origin')]).toEqual([200, ALLOWED_ORIGIN])
    expect(headers.get('access-control-expose-headers')).toContain('retry-after')
    expect(headers.get('vary')).toMatch(/origin/i)
  })

  test('is never allowed to send cookies', async () => {
    const { headers } = await post(stage.url, { query: '{ __typename }' }, { origin: ALLOWED_ORIGIN })
    expect(headers.get('access-control-allow-credentials')).toBeNull()
  })

  test('opens a WebSocket', async () => {
    const { socket } = openWire(stage.url, { origin: ALLOWED_ORIGIN })
    await once(socket, 'open')
    expect(socket.protocol).toBe('graphql-transport-ws')
    socket.terminate()
  })
})

describe('a gateway without keys', () => {
  test.each(['evil.example', 'evil.example:4000', 'localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1', ''])(
    'refuses the rebound host %j',
    async (host) => {
      const { app } = await openTestApp()
      const { port } = new URL(app.url)
      const ask = `POST /graphql HTTP/1.1\r\nHost: ${host}\r\nOrigin: http://${host}\r\nContent-Type: application/json\r\nContent-Length: 26\r\nConnection: close\r\n\r\n{"query":"{ __typename }"}`
      expect(await sendRaw(Number(port), ask)).toMatch(/^HTTP\/1\.1 42?1/)
      expect(await openWire(app.url, { host: host || 'evil.example' }).closed).toBe(0)
    },
  )

  test('accepts requests for loopback names', async () => {
    const { app } = await openTestApp()
    const { port } = new URL(app.url)
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`]) {
      const ask = `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
      expect(await sendRaw(Number(port), ask)).toMatch(/^HTTP\/1\.1 200/)
    }
  })

  test.each([
    ['Forwarded', 'for=203.0.113.9'],
    ['Via', '1.1 tunnel'],
    ['X-Forwarded-For', '203.0.113.9'],
    ['X-Forwarded-Host', 'swap.example.com'],
    ['X-Forwarded-Proto', 'https'],
    ['X-Real-IP', '203.0.113.9'],
    ['CF-Connecting-IP', '203.0.113.9'],
  ])('refuses a request with %s as not local, over HTTP and WebSocket', async (name, value) => {
    const { app } = await openTestApp()
    const { status, text } = await post(app.url, { query: '{ __typename }' }, { [name]: value })
    expect([status, text]).toEqual([421, expect.stringContaining('Set API_KEYS')])
    expect(await openWire(app.url, { [name]: value }).closed).toBe(0)
  })
})

describe('a gateway that can spend and be reached, and has no keys configured', () => {
  const open = async () => {
    const settings = { PUBLIC_URL: 'https://swap.example.com' }
    const dataDir = await makeDataDir()
    const gateway = await openTestApp({ dataDir, settings })
    const key = readFileSync(join(dataDir, 'api-key'), 'utf8')
    const { port } = new URL(gateway.app.url)
    /** Host headers as a proxy, a tunnel or a local process sends them. */
    const ask = async (host: string, headers: Record<string, string> = {}) => {
      const body = JSON.stringify({ query: MUTATION })
      const lines = Object.entries({ 'content-type': 'application/json', 'content-length': body.length, ...headers })
      const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
      const answer = await sendRaw(
        Number(port),
        `POST /graphql HTTP/1.1\r\nHost: ${host}\r\n${head}Connection: close\r\n\r\n${body}`,
      )
      return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1])
    }
    return { gateway, key, port, ask }
  }

  test('requires its key for every host, including loopback', async () => {
    const { gateway, key, port, ask } = await open()
    const hosts = ['swap.example.com', `127.0.0.1:${port}`, `localhost:${port}`, '127.0.0.1', `[::1]:${port}`]
    for (const host of hosts) expect([host, await ask(host)]).toEqual([host, 401])
    expect(gateway.upstream.submits).toBe(0)
    for (const host of hosts) expect([host, await ask(host, { authorization: `Bearer ${key}` })]).toEqual([host, 200])
    expect(gateway.upstream.submits).toBe(hosts.length)
  })

  test('is reachable through a proxy with its key, whatever headers the proxy adds', async () => {
    const { key, port, ask } = await open()
    const headers = { authorization: `Bearer ${key}`, 'x-forwarded-for': '203.0.113.9', via: '1.1 proxy' }
    expect([await ask('swap.example.com', headers), await ask(`127.0.0.1:${port}`, headers)]).toEqual([200, 200])
  })

  test('refuses another host, with or without its key', async () => {
    const { key, ask } = await open()
    expect([await ask('evil.example'), await ask('evil.example', { authorization: `Bearer ${key}` })]).toEqual([
      421, 421,
    ])
  })

  test('closes a WebSocket that does not present its key', async () => {
    const { gateway } = await open()
    const wire = openWire(gateway.app.url, {})
    await once(wire.socket, 'open')
    wire.socket.send('{"type":"connection_init"}')
    expect(await wire.closed).toBe(4403)
  })
})
