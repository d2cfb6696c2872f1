import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openApiKeys } from '../../src/auth/api-keys.ts'
import { toConfig } from '../../src/config/config.ts'
import { parseSettings } from '../../src/config/env.ts'
import { listSecrets, readSecrets } from '../../src/config/secrets.ts'
import { makeDataDir } from '../support/test-app.ts'

const messageOf = (work: () => unknown) => {
  try {
    work()
    return 'nothing was thrown'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const configOf = (env: Record<string, string>) => toConfig(parseSettings(env))

test('the gateway listens on a loopback address with the embedded upstream and database if nothing is set', () => {
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

test('the gateway uses the real upstream if TTAPI_KEY is set', () => {
  expect(configOf({ TTAPI_KEY: 'k' }).upstreamUrl).toBe('https://api.ttapi.io')
  expect(configOf({ TTAPI_KEY: 'k', TTAPI_URL: 'https://api.ttapi.org' }).upstreamUrl).toBe('https://api.ttapi.org')
})

test.each([
  ['127.0.0.1', '127.0.0.1'],
  ['127.1.2.3', '127.1.2.3'],
  ['::1', '::1'],
  ['[::1]', '::1'],
  ['localhost', 'localhost'],
  ['LOCALHOST', 'localhost'],
])('the config reads HOST=%s as the loopback host %s', (HOST, host) => {
  expect(configOf({ HOST })).toMatchObject({ host, authenticates: false })
})

test.each([
  ['http://127.0.0.1', 'without http://'],
  ['127.0.0.1:4000', 'the port is set with PORT'],
  ['localhost:4000', 'the port is set with PORT'],
  ['[::1]:4000', 'the port is set with PORT'],
  ['127.0.0.1/', 'without a path'],
  ['127.0.0.300', 'must be a name or an address, such as'],
  ['*', 'must be a name or an address, such as'],
  ['a b', 'must be a name or an address, such as'],
  ['fe80::1%eth0', 'PUBLIC_URL must be set'],
])('the config refuses HOST=%s: %s', (HOST, problem) => {
  const keys = { API_KEYS: `a:${'ab'.repeat(32)}`, GATEWAY_SECRET: 'a secret of sixteen' }
  expect(() => configOf({ HOST, ...keys })).toThrow(problem)
})

describe.each(['0.0.0.0', '::', '192.168.1.2', 'gateway.example', '127.0.0.1.example'])('listening on %s', (HOST) => {
  const API_KEYS = `acme:${'ab'.repeat(32)}`
  const GATEWAY_SECRET = 'a secret of sixteen'

  test('requires authentication and a secret, and names both in the error', () => {
    expect(() => configOf({ HOST })).toThrow(/^API_KEYS must be set \(or JWKS_URL/)
    expect(() => configOf({ HOST, API_KEYS })).toThrow(/^GATEWAY_SECRET must be set/)
    expect(configOf({ HOST, API_KEYS, GATEWAY_SECRET })).toMatchObject({ host: HOST, authenticates: true })
  })

  test('disables GraphiQL and introspection by default', () => {
    expect(configOf({ HOST, API_KEYS, GATEWAY_SECRET })).toMatchObject({ graphiql: false, introspection: false })
    expect(configOf({ HOST, API_KEYS, GATEWAY_SECRET, INTROSPECTION: 'on' }).introspection).toBe(true)
  })
})

test('the three settings for JWTs must be set together', () => {
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
])('the config refuses the allowed origin %s', (ALLOWED_ORIGINS) => {
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
  'the config refuses the allowed origin %s of a packaged app',
  (ALLOWED_ORIGINS) => {
    expect(() => configOf({ ALLOWED_ORIGINS })).toThrow(/^ALLOWED_ORIGINS must list origins/)
  },
)

test('ALLOWED_ORIGINS refuses `file:` with the reason', () => {
  expect(() => configOf({ ALLOWED_ORIGINS: 'file://localhost' })).toThrow(/^ALLOWED_ORIGINS cannot list file:, because/)
})

test.each([
  ['PORT', '70000'],
  ['PORT', '4000x'],
  ['PORT', '1e3'],
  ['PORT', '0x10'],
  ['PORT', '-1'],
  ['PORT', '4000.5'],
  ['MAX_IN_FLIGHT', '1e3'],
  ['MAX_IN_FLIGHT', '٣'],
  ['MAX_IN_FLIGHT', '1_000'],
  ['FETCH_PER_SECOND', 'Infinity'],
  ['FETCH_PER_SECOND', '0'],
  ['SUBMIT_BEFORE_S', '1e400'],
  ['SUBMIT_BEFORE_S', '.5'],
  ['PUBLIC_URL', 'https://user:pass@gateway.example'],
  ['PUBLIC_URL', 'https://gateway.example?a=b'],
  ['PUBLIC_URL', 'https://gateway.example/#a'],
  ['PUBLIC_URL', 'https:gateway.example'],
  ['PUBLIC_URL', 'https://gate way.example'],
  ['PUBLIC_URL', 'https://gateway.example\\a'],
  ['TTAPI_URL', 'https://'],
  ['TTAPI_KEY', 'two words'],
  ['TTAPI_KEY', '“quoted”'],
  ['AWS_SECRET_ACCESS_KEY', 'two words'],
  ['DATABASE_URL', 'postgres://u:50%off@db/x'],
  ['DATABASE_URL', 'postgres://u:a/b@db/x'],
  ['DATABASE_URL', 'postgres://u:1/b@db/x'],
  ['DATABASE_URL', 'postgres://u:a#b@db/x'],
  ['DATABASE_URL', 'postgres://u:a?b@db/x'],
  ['ALLOWED_PRIVATE_HOSTS', 'http://10.0.0.5'],
  ['ALLOWED_PRIVATE_HOSTS', '10.0.0.5:70000'],
  ['ALLOWED_PRIVATE_HOSTS', '*.internal'],
  ['ALLOWED_PRIVATE_HOSTS', 'a.internal b.internal'],
  ['PUBLIC_URL', 'gateway.example'],
  ['TTAPI_URL', 'ftp://x'],
  ['DATABASE_URL', 'mysql://x'],
  ['ON_QUEUE_DEADLINE_S', '-1'],
  ['GRAPHIQL', 'yes'],
  ['INTROSPECTION', 'yes'],
  ['TENANT_REQUESTS_PER_MINUTE', '0'],
  ['TENANT_QUOTA_PER_DAY', '-5'],
])('the config refuses %s=%s, and the error has the name without the value', (name, value) => {
  const message = messageOf(() => configOf({ [name]: value }))
  expect(message).toMatch(new RegExp(`^${name} must`))
  // The explanation may contain a shorter value by chance.
  if (value.length > 3) expect(message).not.toContain(value)
})

test.each(['TTAPI_KEY', 'TTAPI_URL', 'DATA_DIR', 'GATEWAY_SECRET', 'DATABASE_URL', 'HOST', 'ALLOWED_ORIGINS'])(
  'the config refuses a control character in %s, even one that a terminal hides',
  (name) => {
    expect(messageOf(() => configOf({ [name]: 'file:a secret key\u0007of some length' }))).toMatch(
      `${name} contains a control character`,
    )
  },
)

test('numbers are decimal, and may have blanks around them', () => {
  const { port, fetchPerSecond, deadlines } = configOf({ PORT: ' 5 ', FETCH_PER_SECOND: '0.5', SUBMIT_BEFORE_S: '007' })
  expect([port, fetchPerSecond, deadlines.submitBeforeMs]).toEqual([5, 0.5, 7_000])
})

test('a base address loses its trailing slash', () => {
  expect(configOf({ PUBLIC_URL: 'https://gateway.example/swap//' }).publicUrl).toBe('https://gateway.example/swap')
})

test.each([
  ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'],
  ['AWS_SECRET_ACCESS_KEY', 'AWS_ACCESS_KEY_ID'],
])('the config refuses %s without %s', (name, other) => {
  expect(() => configOf({ [name]: 'abc' })).toThrow(`${other} must be set, because ${name} is set`)
})

test('the config refuses the same port for the gateway and the embedded upstream', () => {
  expect(() => configOf({ PORT: '4010' })).toThrow('LOCAL_UPSTREAM_PORT must differ from PORT: both are 4010')
  expect(configOf({ PORT: '4010', TTAPI_KEY: 'k' }).port).toBe(4010)
  expect(configOf({ PORT: '0', LOCAL_UPSTREAM_PORT: '0' }).port).toBe(0)
})

describe('a generated API key', () => {
  const REACHABLE = { TTAPI_KEY: 'k', PUBLIC_URL: 'https://swap.example.com' }
  const secretsOf = (env: Record<string, string>, dir: string) => readSecrets(parseSettings(env), dir)

  test('is created once for a reachable gateway that can spend, and stored readable by its owner only', async () => {
    const dir = await makeDataDir()
    const { createdApiKey, apiKeys } = secretsOf(REACHABLE, dir)
    if (createdApiKey === null || apiKeys === null) throw new Error('no key was created')
    expect(createdApiKey.length).toBeGreaterThan(40)
    expect(statSync(join(dir, 'api-key')).mode & 0o777).toBe(0o600)
    expect(openApiKeys(apiKeys, () => {}).find(createdApiKey)?.tenant).toBe('local')
    expect(secretsOf(REACHABLE, dir).createdApiKey).toBe(createdApiKey)
    expect(listSecrets(secretsOf(REACHABLE, dir))).toContain(createdApiKey)
    expect(configOf(REACHABLE)).toMatchObject({ authenticates: true, checksHost: true })
  })

  test.each([
    ['nothing can be spent', { PUBLIC_URL: 'https://swap.example.com' }],
    ['PUBLIC_URL is not set', { TTAPI_KEY: 'k' }],
    ['PUBLIC_URL is loopback', { TTAPI_KEY: 'k', PUBLIC_URL: 'http://127.0.0.1:4000' }],
    ['keys are configured', { ...REACHABLE, API_KEYS: `acme:${'ab'.repeat(32)}` }],
    ['JWTs are configured', { ...REACHABLE, JWKS_URL: 'https://id.example/jwks', JWT_ISSUER: 'i', JWT_AUDIENCE: 'a' }],
  ])('is not created if %s', async (_name, env) => {
    expect(secretsOf(env, await makeDataDir()).createdApiKey).toBeNull()
  })
})

test.each(['gateway-secret', 'api-key'])('a file %s without a secret stops the start', async (name) => {
  const dir = await makeDataDir()
  const values = parseSettings({ TTAPI_KEY: 'k', PUBLIC_URL: 'https://swap.example.com' })
  for (const text of ['', 'short', 'a text with blanks that is long enough']) {
    writeFileSync(join(dir, name), text)
    expect(() => readSecrets(values, dir)).toThrow(`DATA_DIR cannot be used: its file ${name} contains no secret`)
  }
})

test('the config contains no secret', async () => {
  const values = parseSettings({ TTAPI_KEY: 'the-upstream-key', GATEWAY_SECRET: 'the-gateway-secret' })
  expect(JSON.stringify(toConfig(values))).not.toMatch(/the-upstream-key|the-gateway-secret/)
  expect(readSecrets(values, await makeDataDir())).toEqual({
    upstreamKey: 'the-upstream-key',
    postgresUrl: null,
    blobCredentials: null,
    apiKeys: null,
    createdApiKey: null,
    gatewaySecrets: ['the-gateway-secret'],
  })
})

test('with PostgreSQL its address is a secret, and GATEWAY_SECRET must be set', async () => {
  const DATABASE_URL = 'postgres://gateway:the-password@db/swapface'
  expect(() => configOf({ DATABASE_URL })).toThrow(/^GATEWAY_SECRET must be set(?!.*the-password)/)
  const values = parseSettings({ DATABASE_URL, GATEWAY_SECRET: 'the-gateway-secret' })
  expect(toConfig(values).databasePath).toBeNull()
  expect(JSON.stringify(toConfig(values))).not.toContain('the-password')
  expect(readSecrets(values, await makeDataDir()).postgresUrl).toBe(DATABASE_URL)
})

test('a secret is created once, and stored readable by its owner only', async () => {
  const dir = await makeDataDir()
  const [first, again] = [readSecrets(parseSettings({}), dir), readSecrets(parseSettings({}), dir)]
  expect(again).toEqual(first)
  expect(first.gatewaySecrets[0].length).toBeGreaterThan(40)
  expect(statSync(join(dir, 'gateway-secret')).mode & 0o777).toBe(0o600)
})

test('GATEWAY_SECRET may list several secrets for a rotation', async () => {
  const values = parseSettings({ GATEWAY_SECRET: 'the-new-secret-here, the-old-secret-here' })
  expect(readSecrets(values, await makeDataDir()).gatewaySecrets).toEqual([
    'the-new-secret-here',
    'the-old-secret-here',
  ])
  const short = parseSettings({ GATEWAY_SECRET: 'the-new-secret-here,short' })
  expect(() => readSecrets(short, '/nowhere')).toThrow(/^GATEWAY_SECRET must/)
})
