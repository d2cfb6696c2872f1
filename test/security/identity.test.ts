/** Authentication and ownership: only issued credentials work, and another tenant's job is treated as missing. */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { SignJWT, UnsecuredJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { subscribeSse } from '../support/test-app.ts'
import { until } from '../support/until.ts'
import { CREATE, INPUT, ISSUER, KEY_LINES, KEYS, openStage, openWire, post, type Stage } from './stage.ts'
import { sha256 } from '../../src/lib/crypto/sha256.ts'

let stage: Stage
beforeAll(async () => {
  stage = await openStage()
}, 60_000)
afterAll(() => stage.close())

const ME = { query: '{ __typename }' }
const seconds = () => Math.floor(Date.now() / 1_000)
const bearer = (token: string) => ({ 'x-api-key': '', authorization: `Bearer ${token}` })

async function create(init: Record<string, string> = {}, input: object = INPUT) {
  const { json } = await post(stage.url, { query: CREATE, variables: { input } }, init)
  return json.data.createSwap as { job: { id: string }; watchToken: { token: string } | null }
}

describe('a request is refused as unauthenticated', () => {
  test.each<[string, () => Promise<Record<string, string>> | Record<string, string>]>([
    ['without a key', () => ({ 'x-api-key': '' })],
    ['with a wrong key', () => ({ 'x-api-key': 'key-of-acme-0123456788' })],
    ['with a key in capitals', () => ({ 'x-api-key': KEYS.acme.toUpperCase() })],
    ['with a part of a key', () => ({ 'x-api-key': KEYS.acme.slice(0, -1) })],
    ['with the digest instead of the key', () => ({ 'x-api-key': sha256(KEYS.acme) })],
    ['with the tenant’s name', () => ({ 'x-api-key': 'acme' })],
    [
      'with a key of basic authentication',
      () => ({ 'x-api-key': '', authorization: `Basic ${Buffer.from(`acme:${KEYS.acme}`).toString('base64')}` }),
    ],
    ['with two keys in one', () => ({ 'x-api-key': `${KEYS.acme},${KEYS.other}` })],
    ['with a key in a cookie', () => ({ 'x-api-key': '', cookie: `x-api-key=${KEYS.acme}` })],
    [
      'with a JWT that is not signed',
      async () =>
        bearer(
          new UnsecuredJWT({ sub: 'acme', scope: 'swap:read' })
            .setIssuer(ISSUER)
            .setAudience('swapface')
            .setExpirationTime('1h')
            .encode(),
        ),
    ],
    [
      'with a JWT signed with the public key as a secret',
      async () =>
        bearer(
          await stage.token({}, async (jwt) =>
            jwt.setProtectedHeader({ alg: 'HS256', kid: 'one' }).sign(new TextEncoder().encode(stage.publicKey)),
          ),
        ),
    ],
    [
      'with a JWT of another key',
      async () =>
        bearer(
          await stage.token({}, async (jwt) =>
            jwt.setProtectedHeader({ alg: 'HS256', kid: 'two' }).sign(new TextEncoder().encode('x'.repeat(32))),
          ),
        ),
    ],
    ['with a JWT of another issuer', async () => bearer(await stage.token({ iss: 'https://evil.example' }))],
    ['with a JWT for another audience', async () => bearer(await stage.token({ aud: 'another-service' }))],
    ['with an expired JWT', async () => bearer(await stage.token({ exp: seconds() - 60 }))],
    ['with a JWT without an expiry', async () => bearer(await stage.token({ exp: undefined as never }))],
    ['with a JWT that is not yet valid', async () => bearer(await stage.token({ nbf: seconds() + 600 }))],
    ['with a JWT with an empty subject', async () => bearer(await stage.token({ sub: '' }))],
    [
      'with a JWT whose claims were changed',
      async () => {
        const [header = '', , mac = ''] = (await stage.token()).split('.')
        const claims = { iss: ISSUER, aud: 'swapface', sub: 'acme', scope: 'swap:admin', exp: seconds() + 600 }
        return bearer(`${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${mac}`)
      },
    ],
    [
      'with a watch token of its own making',
      () =>
        bearer(
          `swt_${Buffer.from(JSON.stringify(['acme', Date.now() * 2, 'job_1'])).toString('base64url')}.${'A'.repeat(43)}`,
        ),
    ],
    ['with a watch token without a MAC', () => bearer('swt_WyJhY21lIiw5OTk5OTk5OTk5OTk5LCJqb2JfMSJd')],
    ['with 100 kB instead of a token', () => bearer('a'.repeat(10_000))],
  ])('%s', async (_what, credentials) => {
    const { status, json, headers } = await post(stage.url, ME, await credentials())
    expect([status, json.errors[0].extensions.code]).toEqual([401, 'UNAUTHENTICATED'])
    expect(headers.get('www-authenticate')).toMatch(/^Bearer/)
  })
})

describe('a caller', () => {
  test('is authenticated with a key in either header, and with a JWT', async () => {
    for (const credentials of [{}, bearer(KEYS.acme), bearer(await stage.token())]) {
      expect((await post(stage.url, ME, credentials)).status).toBe(200)
    }
  })

  test('whose JWT has no scope of the gateway may do nothing', async () => {
    const credentials = bearer(await stage.token({ scope: 'openid profile swap' }))
    const { json } = await post(stage.url, { query: '{ swapJob(id: "x") { id } }' }, credentials)
    expect(json.errors[0].extensions.code).toBe('FORBIDDEN')
  })

  test('with the scope swap:read only cannot create a swap, and nothing is submitted', async () => {
    const before = stage.upstream.submits
    const { json } = await post(stage.url, { query: CREATE, variables: { input: INPUT } }, { 'x-api-key': KEYS.reader })
    expect(json.errors[0].extensions.code).toBe('FORBIDDEN')
    expect(stage.upstream.submits).toBe(before)
  })

  test('whose key is removed from the file is refused within seconds, and its sockets are closed with 4403', async () => {
    const { socket, messages, send, closed } = openWire(stage.url, { 'x-api-key': KEYS.other })
    await once(socket, 'open')
    send({ type: 'connection_init' })
    await until(() => messages.some(({ type }) => type === 'connection_ack'))
    const stream = (async () => {
      const events = subscribeSse(stage.url, 'subscription { swapJobsUpdated { kind } }', {}, undefined, {
        'x-api-key': KEYS.other,
      })
      for await (const event of events) if (!event.data) return 'no stream'
      return 'completed'
    })().catch(() => 'cut')
    await writeFile(stage.keysFile, [KEY_LINES[0], KEY_LINES[2]].join('\n'))
    expect(await closed).toBe(4403)
    expect(await stream).toBe('cut')
    expect((await post(stage.url, ME, { 'x-api-key': KEYS.other })).status).toBe(401)
    expect((await post(stage.url, ME)).status).toBe(200)
    await writeFile(stage.keysFile, KEY_LINES.join('\n'))
    await until(async () => (await post(stage.url, ME, { 'x-api-key': KEYS.other })).status === 200)
  })

  test('stays authenticated when the file of keys becomes unreadable', async () => {
    await writeFile(stage.keysFile, 'nonsense')
    await until(() => stage.program.output().includes('could not read the API keys'))
    expect((await post(stage.url, ME)).status).toBe(200)
    await writeFile(stage.keysFile, KEY_LINES.join('\n'))
  })

  test('is closed with 4403 when its JWT expires', async () => {
    const token = await stage.token({ exp: seconds() + 2 })
    const { socket, messages, send, closed } = openWire(stage.url)
    await once(socket, 'open')
    send({ type: 'connection_init', payload: { authorization: token } })
    await until(() => messages.some(({ type }) => type === 'connection_ack'))
    expect(await closed).toBe(4403)
  })
})

describe('a WebSocket', () => {
  test.each<[string, object]>([
    ['without a key', {}],
    ['with a wrong key', { authorization: 'Bearer wrong' }],
    ['with a key that is a list', { authorization: [KEYS.acme] }],
    [
      'with a payload that would change all objects',
      { __proto__: { authorization: KEYS.acme }, constructor: KEYS.acme },
    ],
  ])('%s is closed with 4403', async (_what, payload) => {
    const { socket, send, closed } = openWire(stage.url)
    await once(socket, 'open')
    send({ type: 'connection_init', payload })
    expect(await closed).toBe(4403)
  })

  test.each<[string, string, number]>([
    [
      'subscribes before it is acknowledged',
      '{"type":"subscribe","id":"1","payload":{"query":"{ __typename }"}}',
      4401,
    ],
    ['sends a malformed message', 'nonsense', 4400],
    ['sends a frame of 100 kB', `{"type":"ping","payload":"${'x'.repeat(100_000)}"}`, 1009],
  ])('that %s is closed', async (_what, text, code) => {
    const { socket, closed } = openWire(stage.url)
    await once(socket, 'open')
    socket.send(text)
    expect(await closed).toBe(code)
  })

  test('with another subprotocol is refused', async () => {
    const { socket, closed } = openWire(stage.url, {}, 'graphql-ws')
    socket.on('open', () => socket.send('{"type":"connection_init"}'))
    expect(await closed).not.toBe(1000)
  })
})

describe('a job of another tenant', () => {
  let foreign = ''
  beforeAll(async () => {
    foreign = (await create({ 'x-api-key': KEYS.other })).job.id
  })
  /** The same operation for an id that does not exist. */
  const both = async (query: string) => {
    const [theirs, none] = await Promise.all(
      [foreign, 'job_00000000000000000000000000'].map(async (id) => post(stage.url, { query, variables: { id } })),
    )
    return [theirs?.json, none?.json]
  }

  test.each([
    ['a query', 'query ($id: ID!) { swapJob(id: $id) { id } }'],
    ['a query that waits', 'query ($id: ID!) { swapJob(id: $id, waitMs: 1) { id } }'],
    ['its node', 'query ($id: ID!) { node(id: $id) { id } }'],
    ['one of many nodes', 'query ($id: ID!) { nodes(ids: [$id]) { id } }'],
  ])('looks like a missing job to %s', async (_what, query) => {
    const [theirs, none] = await both(query)
    expect(theirs).toEqual(none)
    expect(JSON.stringify(theirs)).not.toContain(foreign)
  })

  test('as an entity gets the response of a missing job', async () => {
    const query = 'query ($r: [_Any!]!) { _entities(representations: $r) { ... on SwapJob { status } } }'
    const { json } = await post(stage.url, { query, variables: { r: [{ __typename: 'SwapJob', id: foreign }] } })
    expect(json.data).toEqual({ _entities: [null] })
  })

  test('is not found by its upstream id', async () => {
    const upstreamId = stage.upstream.accepted.at(-1)?.id
    const { json } = await post(stage.url, {
      query: 'query ($id: ID!) { swapJob(id: $id) { id } }',
      variables: { id: upstreamId },
    })
    expect(json.data).toEqual({ swapJob: null })
  })

  test('gets NOT_FOUND in a subscription', async () => {
    const query = 'subscription ($id: ID!) { swapJobUpdated(id: $id) { id } }'
    const { text } = await post(stage.url, { query, variables: { id: foreign } }, { accept: 'text/event-stream' })
    expect(text).toContain('NOT_FOUND')
  })

  test('leaves its idempotency key free for other tenants', async () => {
    const input = { ...INPUT, idempotencyKey: 'the same key' }
    const [mine, theirs] = [await create({}, input), await create({ 'x-api-key': KEYS.other }, input)]
    expect(mine.job.id).not.toBe(theirs.job.id)
  })
})

describe('a watch token', () => {
  test('reads neither the usage of its tenant nor any job but its own', async () => {
    const { watchToken, job } = await create()
    const other = await create()
    const credentials = bearer(watchToken?.token ?? '')
    const usage = await post(stage.url, { query: '{ swapUsage { jobs quotaSpent } }' }, credentials)
    expect(usage.json).toMatchObject({ data: null, errors: [{ extensions: { code: 'FORBIDDEN' } }] })
    const query = `{
      swapJobs { totalCount nodes { id } } byIds: swapJobs(filter: { ids: ["${other.job.id}"] }) { totalCount nodes { id } }
      nodes(ids: ["${job.id}", "${other.job.id}"]) { id } swapJob(id: "${other.job.id}") { id }
      _entities(representations: [{ __typename: "SwapJob", id: "${other.job.id}" }]) { __typename }
    }`
    const { json } = await post(stage.url, { query }, credentials)
    expect(json.data).toEqual({
      swapJobs: { totalCount: 1, nodes: [{ id: job.id }] },
      byIds: { totalCount: 0, nodes: [] },
      nodes: [{ id: job.id }, null],
      swapJob: null,
      _entities: [null],
    })
  })

  let mine = { id: '', token: '' }
  let another = ''
  beforeAll(async () => {
    const made = await create()
    mine = { id: made.job.id, token: made.watchToken?.token ?? '' }
    another = (await create()).job.id
  })

  test('reads and watches the job it names', async () => {
    const { json } = await post(stage.url, { query: `{ swapJob(id: "${mine.id}") { id } }` }, bearer(mine.token))
    expect(json.data.swapJob.id).toBe(mine.id)
  })

  test.each([
    ['another job of the same tenant', () => `{ swapJob(id: "${another}") { id } }`],
    ['another job among its own', () => `{ nodes(ids: ["${another}"]) { id } }`],
  ])('does not read %s', async (_what, query) => {
    const { text } = await post(stage.url, { query: query() }, bearer(mine.token))
    expect(text).not.toContain(`"id":"${another}"`)
  })

  test('creates no job and no other watch token', async () => {
    const { json } = await post(stage.url, { query: CREATE, variables: { input: INPUT } }, bearer(mine.token))
    expect(json.errors[0].extensions.code).toBe('FORBIDDEN')
  })

  test('shows the changes of its own job only', async () => {
    const ids: unknown[] = []
    const query = 'subscription { swapJobsUpdated { kind job { id } } }'
    for await (const { data } of subscribeSse(stage.url, query, {}, undefined, bearer(mine.token))) {
      if (data.swapJobsUpdated.kind === 'CAUGHT_UP') break
      ids.push(data.swapJobsUpdated.job.id)
    }
    expect(ids).toEqual([mine.id])
  })

  test('with any one bit changed is refused', async () => {
    const bytes = Buffer.from(mine.token)
    const changed = Array.from({ length: 40 }, (_u, n) => {
      const copy = Buffer.from(bytes)
      const at = 4 + Math.floor(((bytes.length - 4) * n) / 40)
      copy[at] = (copy[at] ?? 0) ^ (1 << (n % 5))
      return copy.toString('latin1')
    }).filter((token) => /^[\x21-\x7e]+$/.test(token))
    const statuses = await Promise.all(changed.map(async (token) => (await post(stage.url, ME, bearer(token))).status))
    expect(new Set(statuses)).toEqual(new Set([401]))
    expect(changed.length).toBeGreaterThan(30)
  })
})

test('a JWT with the name of another tenant in its subject is that tenant, and no other’s', async () => {
  const query = '{ swapJob(id: "job_1") { id } }'
  const answers = await Promise.all(
    ['a', 'b'].map(async (sub) => post(stage.url, { query }, bearer(await stage.token({ sub })))),
  )
  expect(answers.map(({ status }) => status)).toEqual([200, 200])
})

test('a JWT signed with another algorithm than the provider’s is refused', async () => {
  const jwt = new SignJWT({ sub: 'x' }).setProtectedHeader({ alg: 'HS512' }).setExpirationTime('1h')
  const token = await jwt.sign(new TextEncoder().encode('x'.repeat(64)))
  expect((await post(stage.url, ME, bearer(token))).status).toBe(401)
})
