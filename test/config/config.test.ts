import { statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { toConfig } from '../../src/config/config.ts'
import { parseSettings } from '../../src/config/env.ts'
import { readSecrets } from '../../src/config/secrets.ts'
import { makeDataDir } from '../support/test-app.ts'

const configOf = (env: Record<string, string>) => toConfig(parseSettings(env))

test('with nothing set it listens on a loopback address, with the embedded upstream and database', () => {
  expect(configOf({})).toMatchObject({
    host: '127.0.0.1',
    port: 4000,
    publicUrl: null,
    upstreamUrl: null,
    localUpstreamPort: 4010,
    graphiql: true,
    deadlines: { submitBeforeMs: 900_000, onQueueMs: 900_000, unconfirmedMs: 1_800_000 },
    logLevel: 'info',
  })
  expect(configOf({}).databasePath).toBe(join(process.cwd(), 'data', 'gateway.db'))
})

test('an empty value counts as not set', () => {
  expect(configOf({ PORT: '', TTAPI_KEY: '  ', GRAPHIQL: '' })).toEqual(configOf({}))
})

test('a key turns to the real upstream', () => {
  expect(configOf({ TTAPI_KEY: 'k' }).upstreamUrl).toBe('https://api.ttapi.io')
  expect(configOf({ TTAPI_KEY: 'k', TTAPI_URL: 'https://api.ttapi.org' }).upstreamUrl).toBe('https://api.ttapi.org')
})

test.each(['127.0.0.1', '127.1.2.3', '::1', 'localhost'])('listens on %s', (HOST) => {
  expect(configOf({ HOST }).host).toBe(HOST)
})

describe.each(['0.0.0.0', '::', '192.168.1.2', 'gateway.example', '127.0.0.1.example'])('to listen on %s', (HOST) => {
  const API_KEYS = `acme:${'ab'.repeat(32)}`
  const GATEWAY_SECRET = 'a secret of sixteen'

  test('takes authentication and a secret, and says so', () => {
    expect(() => configOf({ HOST })).toThrow(/^API_KEYS must be set \(or JWKS_URL/)
    expect(() => configOf({ HOST, API_KEYS })).toThrow(/^GATEWAY_SECRET must be set/)
    expect(configOf({ HOST, API_KEYS, GATEWAY_SECRET })).toMatchObject({ host: HOST, authenticates: true })
  })

  test('means neither GraphiQL nor introspection unless they are asked for', () => {
    expect(configOf({ HOST, API_KEYS, GATEWAY_SECRET })).toMatchObject({ graphiql: false, introspection: false })
    expect(configOf({ HOST, API_KEYS, GATEWAY_SECRET, INTROSPECTION: 'on' }).introspection).toBe(true)
  })
})

test('the three settings of JWTs belong together', () => {
  const all = { JWKS_URL: 'https://id.example/jwks', JWT_ISSUER: 'https://id.example', JWT_AUDIENCE: 'swapface' }
  expect(configOf(all).jwt).toEqual({ jwksUrl: all.JWKS_URL, issuer: all.JWT_ISSUER, audience: all.JWT_AUDIENCE })
  for (const name of Object.keys(all)) {
    expect(() => configOf({ ...all, [name]: '' })).toThrow(new RegExp(`^${name} must be set`))
  }
})

test.each([
  '*',
  'https://*.example.com',
  'https://example.com/path',
  'example.com',
  'null',
  'https://a.example https://b.example',
])('refuses the allowed origin %s', (ALLOWED_ORIGINS) => {
  expect(() => configOf({ ALLOWED_ORIGINS })).toThrow(/^ALLOWED_ORIGINS must list origins/)
})

test('allowed origins are listed with commas', () => {
  const { allowedOrigins } = configOf({ ALLOWED_ORIGINS: 'https://app.example.com, http://localhost:5173' })
  expect(allowedOrigins).toEqual(['https://app.example.com', 'http://localhost:5173'])
})

test.each([
  ['capacitor://localhost', 'capacitor://localhost'],
  ['tauri://localhost/', 'tauri://localhost'],
  ['chrome-extension://abcdefghijklmnopabcdefghijklmnop', 'chrome-extension://abcdefghijklmnopabcdefghijklmnop'],
  ['safari-web-extension://E5F5A5C0-7F2A', 'safari-web-extension://e5f5a5c0-7f2a'],
  ['HTTPS://App.Example.com:443', 'https://app.example.com'],
  ['https://bücher.example', 'https://xn--bcher-kva.example'],
  ['http://[::1]:3000', 'http://[::1]:3000'],
])('the allowed origin %s is compared as %s', (ALLOWED_ORIGINS, origin) => {
  expect(configOf({ ALLOWED_ORIGINS }).allowedOrigins).toEqual([origin])
})

test.each(['capacitor:', 'capacitor://', 'capacitor://localhost/app', 'chrome-extension://*', 'app://user@localhost'])(
  'refuses the allowed origin %s of a packaged app',
  (ALLOWED_ORIGINS) => {
    expect(() => configOf({ ALLOWED_ORIGINS })).toThrow(/^ALLOWED_ORIGINS must list origins/)
  },
)

test('refuses file: as an allowed origin, and says why', () => {
  expect(() => configOf({ ALLOWED_ORIGINS: 'file://localhost' })).toThrow(/^ALLOWED_ORIGINS cannot list file: pages/)
})

test.each([
  ['PORT', '70000'],
  ['PORT', '4000x'],
  ['PUBLIC_URL', 'gateway.example'],
  ['TTAPI_URL', 'ftp://x'],
  ['DATABASE_URL', 'mysql://x'],
  ['ON_QUEUE_DEADLINE_S', '-1'],
  ['GRAPHIQL', 'yes'],
  ['INTROSPECTION', 'yes'],
  ['TENANT_REQUESTS_PER_MINUTE', '0'],
  ['TENANT_QUOTA_PER_DAY', '-5'],
])('refuses %s=%s with its name, and without its value', (name, value) => {
  expect(() => configOf({ [name]: value })).toThrow(new RegExp(`^${name} must(?!.*${value})`))
})

test('the config holds no secret', async () => {
  const values = parseSettings({ TTAPI_KEY: 'the-upstream-key', GATEWAY_SECRET: 'the-gateway-secret' })
  expect(JSON.stringify(toConfig(values))).not.toMatch(/the-upstream-key|the-gateway-secret/)
  expect(readSecrets(values, await makeDataDir())).toEqual({
    upstreamKey: 'the-upstream-key',
    postgresUrl: null,
    blobCredentials: null,
    apiKeys: null,
    gatewaySecrets: ['the-gateway-secret'],
  })
})

test('with PostgreSQL its address is a secret, and the secret of all processes must be given', async () => {
  const DATABASE_URL = 'postgres://gateway:the-password@db/swapface'
  expect(() => configOf({ DATABASE_URL })).toThrow(/^GATEWAY_SECRET must be set(?!.*the-password)/)
  const values = parseSettings({ DATABASE_URL, GATEWAY_SECRET: 'the-gateway-secret' })
  expect(toConfig(values).databasePath).toBeNull()
  expect(JSON.stringify(toConfig(values))).not.toContain('the-password')
  expect(readSecrets(values, await makeDataDir()).postgresUrl).toBe(DATABASE_URL)
})

test('a secret is made once, kept, and readable by its owner only', async () => {
  const dir = await makeDataDir()
  const [first, again] = [readSecrets(parseSettings({}), dir), readSecrets(parseSettings({}), dir)]
  expect(again).toEqual(first)
  expect(first.gatewaySecrets[0].length).toBeGreaterThan(40)
  expect(statSync(join(dir, 'gateway-secret')).mode & 0o777).toBe(0o600)
})

test('a list of secrets rotates', async () => {
  const values = parseSettings({ GATEWAY_SECRET: 'the-new-secret-here, the-old-secret-here' })
  expect(readSecrets(values, await makeDataDir()).gatewaySecrets).toEqual([
    'the-new-secret-here',
    'the-old-secret-here',
  ])
  const short = parseSettings({ GATEWAY_SECRET: 'the-new-secret-here,short' })
  expect(() => readSecrets(short, '/nowhere')).toThrow(/^GATEWAY_SECRET must/)
})
