/** The origins that may call the gateway: preflights, CORS headers and WebSocket handshakes. */
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { openWire, sendRaw } from '../security/stage.ts'
import { sha256 } from '../../src/lib/crypto/sha256.ts'
import { openTestApp, type TestApp } from '../support/test-app.ts'

const APP = 'https://app.example.com'
const QUERY = JSON.stringify({ query: '{ __typename }' })

const preflight = async ({ app }: TestApp, origin: string, requested?: string) =>
  fetch(`${app.url}/graphql`, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      ...(requested !== undefined && { 'access-control-request-headers': requested }),
    },
  })

const post = async ({ app }: TestApp, headers: Record<string, string>) =>
  fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: QUERY,
  })

const refusals = ({ events }: TestApp) =>
  events.flatMap(({ name, args }) => (name === 'originRefused' ? [String(args[0])] : []))

describe('a preflight from an allowed origin', () => {
  test('allows every requested header', async () => {
    const gateway = await openTestApp({ settings: { ALLOWED_ORIGINS: APP } })
    const requested = 'apollographql-client-name,apollographql-client-version,content-type,traceparent,x-my.header~1'
    const { status, headers } = await preflight(gateway, APP, requested)
    expect(status).toBe(204)
    expect(headers.get('access-control-allow-origin')).toBe(APP)
    expect(headers.get('access-control-allow-headers')?.split(', ')).toEqual(requested.split(','))
    expect(headers.get('access-control-allow-methods')).toContain('PUT')
    expect(headers.get('access-control-allow-credentials')).toBeNull()
    expect(headers.get('vary')).toMatch(/origin.*access-control-request-headers/i)
  })

  test.each([
    ['a name that is not a token', 'x-good, bad name'],
    ['an empty name', 'x-good,,content-type'],
    ['more than 2,048 characters', Array.from({ length: 300 }, (_, n) => `x-header-${n}`).join(',')],
  ])('allows only the usual headers if it requests %s', async (_what, requested) => {
    const gateway = await openTestApp({ settings: { ALLOWED_ORIGINS: APP } })
    const { status, headers } = await preflight(gateway, APP, requested)
    expect(status).toBe(204)
    expect(headers.get('access-control-allow-headers')).toBe('authorization, content-type, idempotency-key, x-api-key')
  })
})

test.each([
  'capacitor://localhost',
  'tauri://localhost',
  'ionic://localhost',
  'chrome-extension://abcdefghijklmnopabcdefghijklmnop',
  'moz-extension://0b0c1c8a-5b1f-4a53-9d3e-7c1d1c9a2f10',
  'safari-web-extension://E5F5A5C0-7F2A-4B1D-9E8B-0123456789AB',
])('a page of the allowed origin %s may call and open a WebSocket; others of its scheme may not', async (origin) => {
  const settings = { ALLOWED_ORIGINS: origin, API_KEYS: `acme:${sha256('a key of acme')}` }
  const gateway = await openTestApp({ settings })
  const answer = await post(gateway, { origin, 'x-api-key': 'a key of acme' })
  expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([200, origin])
  expect((await preflight(gateway, origin, 'content-type')).status).toBe(204)
  const { socket } = openWire(gateway.app.url, { origin })
  await once(socket, 'open')
  socket.terminate()
  expect((await preflight(gateway, `${origin.split('//')[0]}//other`, 'content-type')).status).toBe(403)
})

describe('without keys, on loopback', () => {
  const LOOPBACK = [
    'http://localhost:3000',
    'https://localhost:5173',
    'http://127.0.0.1:8080',
    'http://[::1]:3000',
    'http://app.localhost:3000',
    'http://localhost',
  ]

  test('pages of any loopback origin may call, preflight and open WebSockets', async () => {
    const gateway = await openTestApp()
    for (const origin of LOOPBACK) {
      const answer = await post(gateway, { origin })
      expect([answer.status, answer.headers.get('access-control-allow-origin')], origin).toEqual([200, origin])
      expect((await preflight(gateway, origin, 'content-type')).status, origin).toBe(204)
      const { socket } = openWire(gateway.app.url, { origin })
      await once(socket, 'open')
      socket.terminate()
    }
    expect(refusals(gateway)).toEqual([])
  })

  test.each([
    'null',
    'https://localhost.evil.example',
    'https://127.0.0.1.evil.example',
    'https://evil.example',
    'capacitor://localhost',
    'file://localhost',
    'http://localhost:3000/path',
    'http://localhost@evil.example',
    'http://128.0.0.1',
    'http://192.168.1.2:3000',
  ])('pages of the origin %s may not call', async (origin) => {
    const gateway = await openTestApp()
    const answer = await post(gateway, { origin })
    expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([403, null])
    expect(await openWire(gateway.app.url, { origin }).closed).toBe(0)
  })

  test('a loopback page may not call a gateway that is addressed by its public name', async () => {
    const { app } = await openTestApp({ settings: { PUBLIC_URL: 'https://gateway.example' } })
    const ask = (host: string) =>
      sendRaw(
        Number(new URL(app.url).port),
        `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nOrigin: http://localhost:3000\r\nConnection: close\r\n\r\n`,
      )
    expect(await ask('gateway.example')).toMatch(/^HTTP\/1\.1 403/)
  })
})

test('with keys, a loopback page may call only if ALLOWED_ORIGINS lists its origin', async () => {
  const gateway = await openTestApp({ settings: { API_KEYS: `acme:${sha256('a key of acme')}` } })
  const answer = await post(gateway, { origin: 'http://localhost:3000', 'x-api-key': 'a key of acme' })
  expect(answer.status).toBe(403)
})

describe('a refused origin', () => {
  test('gets a message that names the setting, and is logged once', async () => {
    const gateway = await openTestApp()
    for (let n = 0; n < 3; n += 1) {
      const answer = await post(gateway, { origin: 'https://evil.example' })
      expect(await answer.json()).toEqual({
        error: { code: 'ORIGIN_NOT_ALLOWED', message: expect.stringContaining('ALLOWED_ORIGINS') },
      })
    }
    expect(await openWire(gateway.app.url, { origin: 'https://evil.example' }).closed).toBe(0)
    expect(refusals(gateway)).toEqual(['https://evil.example'])
  })

  test('is not logged after a hundred other origins, and a long one is truncated in the log', async () => {
    const gateway = await openTestApp()
    for (let n = 0; n < 120; n += 1) await post(gateway, { origin: `https://${n}.example/${'x'.repeat(400)}` })
    const logged = refusals(gateway)
    expect(logged).toHaveLength(100)
    expect(Math.max(...logged.map((origin) => origin.length))).toBe(200)
  })

  test('that is null gets the advice to serve the page over http', async () => {
    const answer = await post(await openTestApp(), { origin: 'null' })
    expect(await answer.text()).toContain('Serve it over http or https')
  })
})

test('the response to a refused WebSocket handshake has the reason', async () => {
  const { app } = await openTestApp()
  const open = (path: string, headers: string) =>
    sendRaw(
      Number(new URL(app.url).port),
      `GET ${path} HTTP/1.1\r\n${headers}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
    )
  expect(await open('/graphql', 'Host: localhost\r\nOrigin: https://evil.example\r\n')).toMatch(
    /^HTTP\/1\.1 403 Forbidden\r\n[\s\S]*ALLOWED_ORIGINS/,
  )
  expect(await open('/graphql', 'Host: evil.example\r\n')).toMatch(/^HTTP\/1\.1 421 Misdirected Request\r\n/)
  expect(await open('/elsewhere', 'Host: localhost\r\n')).toMatch(/^HTTP\/1\.1 404 Not Found\r\n[\s\S]*\/graphql/)
})
