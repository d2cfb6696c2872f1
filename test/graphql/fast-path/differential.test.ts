/**
 * Compares the fast path with Yoga: for any request, valid or not, status, headers and body are the same bytes.
 * `FAST_PATH_CASES=20000` runs the long form.
 */
import { assert, asyncProperty, integer } from 'fast-check'
import { buildSchema } from 'graphql'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { makeDataDir, openTestApp, type TestApp } from '../../support/test-app.ts'
import { until } from '../../support/until.ts'
import { sha256 } from '../../../src/lib/crypto/sha256.ts'
import { type Asked, createRandom, makeAsked } from './documents.ts'

const CASES = Number(process.env['FAST_PATH_CASES'] ?? 500)
const OWN = 'key-of-a'
const FOREIGN = 'key-of-b'
const schema = buildSchema(readFileSync('schema/schema.graphql', 'utf8'))

/** Selects the path: trailing blanks make a body too long for the fast path, and do not change its meaning. */
type Way = 'fastPath' | 'engine'
const PADDING: Readonly<Record<Way, string>> = { fastPath: '', engine: ' '.repeat(16_384) }

const JSON_TYPE = 'application/json'
const GRAPHQL_RESPONSE_TYPE = 'application/graphql-response+json'

const CREATE = `mutation Create($input: CreateSwapInput!) { createSwap(input: $input) { __typename
  ... on CreateSwapSuccess { reused watchToken { __typename } job { id status version tags } }
  ... on SwapError { code message retryable } ... on SwapInvalidInputError { issues { path code message } }
  ... on SwapIdempotencyConflictError { holder: job { id } } } }`
const inputOf = (name: string, over: object = {}) => ({
  targetImage: { url: `https://example.com/${name}.jpg` },
  swapImage: { url: 'https://example.com/f.jpg' },
  idempotencyKey: name,
  ...over,
})

/** The parts of a response that are compared. */
interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Headers that depend on the time, the connection, the single request or the remaining requests. */
const VARYING: ReadonlySet<string> = new Set(['date', 'connection', 'keep-alive', 'ratelimit', 'x-request-id'])

async function ask({ app }: TestApp, asked: Asked, way: Way, key = OWN, accept = JSON_TYPE): Promise<Answer> {
  const response = await fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept, authorization: `Bearer ${key}` },
    body: JSON.stringify(asked) + PADDING[way],
  })
  const headers = [...response.headers].filter(([name]) => !VARYING.has(name))
  return { status: response.status, headers: Object.fromEntries(headers), body: await response.text() }
}

async function openStage() {
  const dataDir = await makeDataDir()
  const gateway = await openTestApp({
    dataDir,
    settings: { API_KEYS: `a:${sha256(OWN)},b:${sha256(FOREIGN)}`, INTROSPECTION: 'on' },
  })
  const create = async (name: string, key = OWN): Promise<string> => {
    const { body } = await ask(
      gateway,
      { query: CREATE, variables: { input: inputOf(name, { tags: ['a'] }) } },
      'engine',
      key,
    )
    return (JSON.parse(body) as { data: { createSwap: { job: { id: string } } } }).data.createSwap.job.id
  }
  const done = await create('done')
  const failed = await create('failed')
  const foreign = await create('foreign', FOREIGN)
  const open = await create('open')
  const [first] = gateway.upstream.accepted
  if (!first) throw new Error('nothing was sent')
  first.state = { status: 'SUCCESS' }
  await gateway.upstream.sendHook(first)
  await until(async () =>
    (await ask(gateway, { query: `{ swapJob(id: "${done}") { done } }` }, 'engine')).body.includes('true'),
  )
  return {
    gateway,
    dataDir,
    ids: [done, failed, foreign, open, first.id, 'job_00000000000000000000000000', '', 'ü"\\'],
  }
}

/** Twice on the fast path: the second request may use what the first has compiled or cached. */
async function expectSame(gateway: TestApp, asked: Asked, key = OWN, accept = JSON_TYPE): Promise<void> {
  const plain = await ask(gateway, asked, 'engine', key, accept)
  for (const time of ['first', 'second']) {
    expect(await ask(gateway, asked, 'fastPath', key, accept), `${time} time: ${JSON.stringify(asked)}`).toEqual(plain)
  }
}

test(
  `${CASES} random documents get the same response from the fast path and the engine`,
  { timeout: 120_000 + CASES * 50 },
  async () => {
    const { gateway, ids } = await openStage()
    let good = 0
    await assert(
      asyncProperty(integer(), async (seed) => {
        const asked = makeAsked(schema, ids, createRandom(seed))
        await expectSame(gateway, asked, OWN, seed % 2 === 0 ? JSON_TYPE : GRAPHQL_RESPONSE_TYPE)
        if (!(await ask(gateway, asked, 'fastPath')).body.includes('"errors"')) good += 1
      }),
      { numRuns: CASES, endOnFailure: true },
    )
    // The fast path must handle at least a third.
    expect(good).toBeGreaterThan(CASES / 3)
  },
)

const JOB = 'id status done version result { url expiresAt cdnImage } charge { state quota } failure { code }'
const CORPUS: Record<string, (ids: readonly string[]) => Asked> = {
  'a job': ([done = '']) => ({ query: `{ swapJob(id: "${done}") { ${JOB} } }` }),
  'a job by a variable': ([done = '']) => ({
    query: `query ($id: ID!) { swapJob(id: $id) { ${JOB} } }`,
    variables: { id: done },
  }),
  'a foreign job': (ids) => ({ query: `{ swapJob(id: "${ids[2]}") { ${JOB} } }` }),
  'an unfinished job': (ids) => ({ query: `{ swapJob(id: "${ids[3]}") { ${JOB} timeline { status at source } } }` }),
  '100 aliases': (ids) => ({
    query: `{ ${Array.from({ length: 100 }, (_u, n) => `a${n}: swapJob(id: "${ids[n % 5]}") { id status done }`).join(' ')} }`,
  }),
  '101 aliases': ([done]) => ({
    query: `{ ${Array.from({ length: 101 }, (_u, n) => `a${n}: swapJob(id: "${done}") { id }`).join(' ')} }`,
  }),
  fragments: ([done]) => ({
    query: `{ one: swapJob(id: "${done}") { ...A ...B status } } fragment A on SwapJob { id charge { state } } fragment B on SwapJob { charge { quota } id }`,
  }),
  'a field twice': ([done]) => ({ query: `{ swapJob(id: "${done}") { id } swapJob(id: "${done}") { status id } }` }),
  'an interface': ([done]) => ({ query: `{ node(id: "${done}") { id ... on SwapJob { status } } }` }),
  'a list': () => ({
    query: `{ swapJobs(first: 20) { edges { cursor node { ${JOB} } } pageInfo { hasNextPage endCursor } } }`,
  }),
  'a default': ([done]) => ({
    query: `query ($id: ID = "${done}", $w: Int = 0) { swapJob(id: $id, waitMs: $w) { id } }`,
  }),
  'the other operation': ([done]) => ({
    query: `query A { swapJob(id: "${done}") { id } } query B { swapJob(id: "${done}") { status } }`,
    operationName: 'B',
  }),
  'no operation named': ([done]) => ({
    query: `query A { swapJob(id: "${done}") { id } } query B { swapJob(id: "${done}") { status } }`,
  }),
  'a variable of a wrong type': () => ({
    query: 'query ($id: ID!) { swapJob(id: $id) { id } }',
    variables: { id: {} },
  }),
  'a variable too few': () => ({ query: 'query ($id: ID!) { swapJob(id: $id) { id } }' }),
  'a variable too many': ([done]) => ({
    query: 'query ($id: ID!) { swapJob(id: $id) { id } }',
    variables: { id: done, more: 1 },
  }),
  'a wait that is too long': ([done]) => ({ query: `{ swapJob(id: "${done}", waitMs: 99999) { id } }` }),
  'an error together with data': ([done]) => ({
    query: `{ ok: swapJob(id: "${done}") { id } swapJob(id: "${done}", waitMs: -1) { id } }`,
  }),
  'a syntax error': () => ({ query: '{ swapJob(' }),
  'an unknown field': () => ({ query: '{ nope }' }),
  'a directive': ([done]) => ({ query: `{ swapJob(id: "${done}") { id status @skip(if: true) } }` }),
  'a subscription without a stream': ([done]) => ({ query: `subscription { swapJobUpdated(id: "${done}") { id } }` }),
  'a subscription that is not valid': () => ({ query: 'subscription { swapJobUpdated { nope } }' }),
  '2,001 tokens': () => ({ query: `{ ${'__typename '.repeat(2_001)} }` }),
  introspection: () => ({ query: '{ __schema { queryType { name } } __type(name: "SwapJob") { kind } }' }),
  'a swap that exists': () => ({ query: CREATE, variables: { input: inputOf('done', { tags: ['a'] }) } }),
  'a swap with another input': () => ({ query: CREATE, variables: { input: inputOf('done', { tags: ['b'] }) } }),
  'a swap with an invalid input': () => ({
    query: CREATE,
    variables: { input: inputOf('bad', { tags: ['x'.repeat(65)], waitMs: -1 }) },
  }),
  'a swap without its input': () => ({ query: CREATE }),
  'two swaps': () => ({
    query: `mutation ($a: CreateSwapInput!, $b: CreateSwapInput!) { a: createSwap(input: $a) { __typename } b: createSwap(input: $b) { __typename } }`,
    variables: { a: inputOf('done', { tags: ['a'] }), b: inputOf('failed', { tags: ['a'] }) },
  }),
}

// Each comparison is an assertion.
// oxlint-disable-next-line vitest/expect-expect
test.each(Object.entries(CORPUS))(
  '%s gets the same response from the fast path and the engine',
  async (_name, make) => {
    const { gateway, ids } = await openStage()
    for (const key of [OWN, FOREIGN]) {
      // The first request has the effect of a mutation; all later responses are then the same.
      await ask(gateway, make(ids), 'engine', key)
      for (const accept of [JSON_TYPE, GRAPHQL_RESPONSE_TYPE]) await expectSame(gateway, make(ids), key, accept)
    }
  },
)

test('a swap is started once, even if the fast path fails to write its response', async () => {
  const { gateway } = await openStage()
  const before = gateway.upstream.submits
  // The first request warms up the fast path for the second.
  const query = `mutation ($input: CreateSwapInput!, $w: Int) { createSwap(input: $input) { ... on CreateSwapSuccess {
    job { id result { copy { url(width: $w) } } } } } }`
  for (const name of ['one', 'two']) {
    const input = { ...inputOf(name), idempotencyKey: null }
    expect((await ask(gateway, { query, variables: { input, w: 0 } }, 'fastPath')).status).toBe(200)
  }
  await until(async () => {
    const { body } = await ask(gateway, { query: '{ swapJobs(first: 100) { totalCount } }' }, 'engine')
    return body === '{"data":{"swapJobs":{"totalCount":5}}}'
  })
  expect(gateway.upstream.submits - before).toBeLessThanOrEqual(2)
})

test('no cached response contains data of a forgotten job', async () => {
  const { gateway, ids } = await openStage()
  const [done = ''] = ids
  const asked = { query: `{ swapJob(id: "${done}") { id result { cdnImage } } }` }
  for (let n = 0; n < 3; n += 1) expect((await ask(gateway, asked, 'fastPath')).body).toContain('https:')
  await ask(gateway, { query: `mutation { forgetSwaps(input: { ids: ["${done}"] }) { __typename } }` }, 'fastPath')
  expect((await ask(gateway, asked, 'fastPath')).body).toBe(`{"data":{"swapJob":{"id":"${done}","result":null}}}`)
})

test('the fast path serves a repeated query for a finished job without a read', async () => {
  const { gateway, ids } = await openStage()
  const asked = { query: `{ swapJob(id: "${ids[0]}") { id status } }` }
  for (let n = 0; n < 3; n += 1) await ask(gateway, asked, 'fastPath')
  const before = gateway.queries()
  const answers = await Promise.all(Array.from({ length: 50 }, async () => ask(gateway, asked, 'fastPath')))
  expect(new Set(answers.map(({ body }) => body)).size).toBe(1)
  // The reconciler also queries the store meanwhile.
  const used = gateway.queries() - before
  expect(used).toBeLessThan(25)
})

test('a list is read again only after a change, and is never outdated', async () => {
  const { gateway } = await openStage()
  const asked = { query: '{ swapJobs { nodes { id status } totalCount } }' }
  const total = async () => /"totalCount":(\d+)/.exec((await ask(gateway, asked, 'fastPath')).body)?.[1]
  for (let n = 0; n < 3; n += 1) expect(await total()).toBe('3')
  await ask(gateway, { query: CREATE, variables: { input: inputOf('another') } }, 'fastPath')
  for (let n = 0; n < 3; n += 1) expect(await total()).toBe('4')
})

test('a document that cannot run gets the same error each time, with the status of its media type', async () => {
  const { gateway } = await openStage()
  const asked = { query: '{ swapJob(id: "x") { nope } }' }
  for (const [accept, status] of [
    [JSON_TYPE, 200],
    [GRAPHQL_RESPONSE_TYPE, 400],
    [JSON_TYPE, 200],
  ] as const) {
    const first = await ask(gateway, asked, 'engine', OWN, accept)
    expect(first.status).toBe(status)
    expect(first.headers['content-type']).toBe(`${accept}; charset=utf-8`)
    for (let n = 0; n < 3; n += 1) expect(await ask(gateway, asked, 'fastPath', OWN, accept)).toEqual(first)
  }
  expect((await ask(gateway, asked, 'fastPath', 'wrong')).status).toBe(401)
})
