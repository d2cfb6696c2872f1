/** The cost of an operation is computed before it runs; the refusal says what to change. */
import { assert, constantFrom, integer, property } from 'fast-check'
import { getNamedType, getOperationAST, isCompositeType, isListType, isNonNullType, isObjectType, parse } from 'graphql'
import { describe, expect, test } from 'vitest'
import { readFieldCost } from '../../../src/graphql/schema/field-cost.ts'
import { COST_LIMITS, createCostLimits } from '../../../src/graphql/operation/cost-limits.ts'
import type { OperationCost } from '../../../src/graphql/operation/operation-cost.ts'
import { createSchema } from '../../../src/graphql/schema/schema.ts'
import { createRandom, makeAsked } from '../fast-path/documents.ts'
import { connectWire } from '../../support/live-stage.ts'
import { openTestApp, subscribeSse } from '../../support/test-app.ts'
import { until } from '../../support/until.ts'

const schema = createSchema()
const limits = createCostLimits(schema)

function costOf(query: string, variables: Record<string, unknown> = {}): OperationCost {
  const document = parse(query)
  const operation = getOperationAST(document)
  if (!operation) throw new Error('the document has one operation')
  return limits.check(document, operation, variables)
}

const times = (count: number, part: (n: number) => string) =>
  Array.from({ length: count }, (_u, n) => part(n)).join(' ')
const ids = (count: number) => `[${times(count, (n) => `"job_${n}"`)}]`
const r = (count: number) => Array.from({ length: count }, (_u, n) => ({ __typename: 'SwapJob', id: `job_${n}` }))
const item = '{ targetImage: { url: "https://example.com/t" }, swapImage: { url: "https://example.com/f" } }'

describe('the nodes of an operation', () => {
  test.each<[string, string, object, number]>([
    ['an id', '{ swapJob(id: "1") { id } }', {}, 1],
    ['an alias each', `{ ${times(7, (n) => `a${n}: swapJob(id: "1") { id }`)} }`, {}, 7],
    ['`nodes`', `{ nodes(ids: ${ids(30)}) { id } }`, {}, 30],
    ['`nodes` with a variable', 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: ['1', '2'] }, 2],
    ['representations', 'query ($r: [_Any!]!) { _entities(representations: $r) { __typename } }', { r: r(9) }, 9],
    ['a page of the default size', '{ swapJobs { nodes { id } } }', {}, 20],
    ['a page whose jobs are not selected', '{ swapJobs(first: 50) { pageInfo { hasNextPage } } }', {}, 50],
    ['a page selected twice', '{ swapJobs(last: 50) { nodes { id } edges { node { id } } } }', {}, 50],
    ['a page by a variable', 'query ($n: Int) { swapJobs(first: $n) { nodes { id } } }', { n: 3 }, 3],
    ['a list by ids', `{ swapJobs(filter: { ids: ${ids(4)} }) { nodes { id } } }`, {}, 4],
    ['jobs that jobs lead to', '{ swapJobs(first: 10) { nodes { retryOf { retryOf { id } } } } }', {}, 30],
    ['images', '{ swapJob(id: "1") { swapImage { upload { id } resultOf { id } } } }', {}, 3],
    ['a batch', `mutation { createSwapBatch(input: { items: [${times(5, () => item)}] }) { __typename } }`, {}, 5],
    [
      'a batch with its jobs',
      `mutation { createSwapBatch(input: { items: [${times(5, () => item)}] }) { ... on CreateSwapBatchSuccess { items { ... on CreateSwapSuccess { job { retryOf { id } } } ... on SwapUpstreamError { job { id } } } } } }`,
      {},
      10,
    ],
    [
      'erasures',
      `mutation { forgetSwaps(input: { ids: ${ids(6)} }) { ... on ForgetSwapsSuccess { jobs { id } } } }`,
      {},
      6,
    ],
    ['a subscription', 'subscription { swapJobUpdated(id: "1") { retryOf { id } } }', {}, 2],
    [
      'a fragment, wherever it is spread',
      '{ a: swapJob(id: "1") { ...F } b: swapJob(id: "2") { ...F } } fragment F on SwapJob { retryOf { id } }',
      {},
      4,
    ],
  ])('are counted for %s', (_what, query, variables, nodes) => {
    expect(costOf(query, { ...variables }).nodes).toBe(nodes)
  })
})

describe('the weight of an operation', () => {
  test('is the weight in the SDL for lists, counts and sums', () => {
    expect(costOf('{ swapJobs { totalCount } swapUsage { jobs } swapService { accepting } }').weight).toBe(80)
    expect(costOf('{ swapJobs(first: 10) { nodes { progress { ahead } } } }').weight).toBe(30)
    expect(costOf('{ swapJob(id: "1") { id } }').weight).toBe(0)
  })
})

const REFUSED: Record<string, [string, RegExp]> = {
  'eleven lists': [
    `{ ${times(11, (n) => `a${n}: swapJobs(first: 1) { nodes { id } }`)} }`,
    /220 units of cost.*200.*`Query.swapJobs`/,
  ],
  'eleven sums': [`{ ${times(11, (n) => `a${n}: swapUsage { jobs }`)} }`, /220 units of cost/],
  'eleven counts': [`{ swapJobs(first: 1) { ${times(11, (n) => `a${n}: totalCount`)} } }`, /240 units of cost/],
  '201 ids in two fields': [
    `{ a: nodes(ids: ${ids(101)}) { id } b: nodes(ids: ${ids(100)}) { id } }`,
    /201 nodes.*at most 200.*smaller pages/,
  ],
  'three pages of a hundred': [`{ ${times(3, (n) => `a${n}: swapJobs(first: 100) { nodes { id } }`)} }`, /300 nodes/],
  'the nodes behind a page': ['{ swapJobs(first: 100) { nodes { retryOf { retryOf { id } } } } }', /300 nodes/],
  'one page under very many names': [
    `{ swapJobs(first: 100) { ${times(50, (n) => `a${n}: nodes { ...F }`)} } } fragment F on SwapJob { id status version }`,
    /values.*at most 10000.*fewer fields/,
  ],
}

describe.each(Object.entries(REFUSED))('%s', (_name, [query, message]) => {
  test('are refused over HTTP before execution, with a code and what to change', async () => {
    const { graphql } = await openTestApp()
    const { errors, data } = await graphql(query)
    expect(errors?.[0]?.message).toMatch(message)
    expect(errors?.[0]?.extensions?.code).toBe('COST_ESTIMATED_TOO_EXPENSIVE')
    expect(data).toBeUndefined()
  })
})

test('an operation at the limits is executed', async () => {
  const { graphql } = await openTestApp()
  const { errors } = await graphql(`{ ${times(10, (n) => `a${n}: swapJobs(first: 20) { nodes { id } }`)} }`)
  expect(errors).toBeUndefined()
  expect(costOf('{ swapJobs(first: 100) { totalCount nodes { id retryOf { id } } } }').nodes).toBe(COST_LIMITS.nodes)
})

test('the gateway stays ready and serves others while one caller sends the most expensive allowed operations', async () => {
  const { app, graphql } = await openTestApp()
  const sums = `{ ${times(10, (n) => `a${n}: swapUsage(window: LAST_30_DAYS) { jobs }`)} }`
  const lists = `{ ${times(5, (n) => `a${n}: swapJobs(first: 20, filter: { tags: ["x", "t${n}"] }) { totalCount }`)} }`
  const tooMany = `{ ${times(20, (n) => `a${n}: swapUsage { jobs }`)} }`
  const sent = Array.from({ length: 40 }, async (_unused, n) => graphql([sums, lists, tooMany][n % 3] ?? sums))
  const statuses: number[] = []
  for (let n = 0; n < 20; n += 1) statuses.push((await fetch(`${app.url}/readyz`)).status)
  expect(new Set(statuses)).toEqual(new Set([200]))
  const codes = (await Promise.all(sent)).map(({ errors }) => errors?.[0]?.extensions?.code)
  expect(codes).toEqual(sent.map((_one, n) => (n % 3 === 2 ? 'COST_ESTIMATED_TOO_EXPENSIVE' : undefined)))
})

test('a document that runs with one variable is refused with a larger one, even if it is cached', async () => {
  const { graphql } = await openTestApp()
  const query =
    'query ($n: Int) { a: swapJobs(first: $n) { nodes { id } } b: swapJobs(first: $n) { nodes { id } } c: swapJobs(first: $n) { nodes { id } } }'
  for (const n of [2, 3, 66]) expect((await graphql(query, { n })).errors).toBeUndefined()
  const refused = await graphql(query, { n: 67 })
  expect(refused.errors?.[0]?.message).toContain('201 nodes')
  expect((await graphql(query, { n: 66 })).errors).toBeUndefined()
})

test('a subscription is refused over SSE and over WebSocket as well', async () => {
  const { app } = await openTestApp()
  const query = `subscription { swapJobUpdated(id: "1") { ${times(90, (n) => `a${n}: retryOf { retryOf { retryOf { id } } }`)} } }`
  const event = (await subscribeSse(app.url, query, {}).next()).value
  expect(event.errors?.[0]?.extensions?.code).toBe('COST_ESTIMATED_TOO_EXPENSIVE')
  const { init, subscribe, messages, socket } = connectWire(app.url)
  await init()
  subscribe('1', query)
  const refusal = await until(() => messages.find(({ type }) => type === 'error'))
  expect(refusal.payload).toMatchObject([{ extensions: { code: 'COST_ESTIMATED_TOO_EXPENSIVE' } }])
  socket.terminate()
})

test('introspection is refused if it selects more than twice what tools select', async () => {
  const { graphql } = await openTestApp({ settings: { INTROSPECTION: 'on' } })
  const { errors } = await graphql(
    `{ ${times(60, (n) => `a${n}: __schema { types { fields { type { fields { name } } } } }`)} }`,
  )
  expect(errors?.[0]?.message).toMatch(/values of introspection.*once/)
})

test('every field with a list of objects declares the length of the list', () => {
  const silent = Object.values(schema.getTypeMap()).flatMap((type) => {
    if (!isObjectType(type) || type.name.startsWith('__')) return []
    return Object.values(type.getFields()).flatMap((field) => {
      const isList = isListType(isNonNullType(field.type) ? field.type.ofType : field.type)
      const { listSize, sizeOf } = readFieldCost(field)
      const isSized = listSize !== undefined || sizeOf !== undefined || type.name === 'SwapJobConnection'
      return isList && isCompositeType(getNamedType(field.type)) && !isSized ? [`${type.name}.${field.name}`] : []
    })
  })
  expect(silent).toEqual([])
})

test('the cost of a page grows with its size and with what is selected, and never falls', () => {
  const parts = ['id', 'timeline { at }', 'retryOf { id }', 'progress { ahead }', 'failure { code }']
  assert(
    property(integer({ min: 0, max: 20 }), integer({ min: 0, max: 20 }), constantFrom(...parts), (a, b, part) => {
      const small = costOf(`{ swapJobs(first: ${Math.min(a, b)}) { nodes { id } } }`)
      const large = costOf(`{ swapJobs(first: ${Math.max(a, b)}) { nodes { id ${part} } } }`)
      for (const what of ['weight', 'nodes', 'values'] as const) expect(large[what]).toBeGreaterThanOrEqual(small[what])
    }),
  )
})

const CREATE =
  'mutation ($input: CreateSwapInput!) { createSwap(input: $input) { ... on CreateSwapSuccess { job { id } } } }'

test('no response has more values than the computed cost of its operation', async () => {
  const { graphql } = await openTestApp()
  const made: string[] = []
  for (let n = 0; n < 3; n += 1) {
    const input = {
      targetImage: { url: `https://example.com/${n}` },
      swapImage: { url: 'https://example.com/f' },
      tags: ['a'],
    }
    made.push((await graphql(CREATE, { input })).data.createSwap.job.id)
  }
  const random = createRandom(7)
  let compared = 0
  while (compared < 150) {
    const { query, variables, operationName } = makeAsked(schema, made, random)
    if (operationName !== undefined) continue
    const { data, errors } = await graphql(query, variables)
    if (errors || !data) continue
    compared += 1
    expect(costOf(query, variables).values, query).toBeGreaterThanOrEqual(countValues(data))
  }
})

/** Counts the members of nested objects. */
function countValues(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((sum: number, member) => sum + countValues(member), 0)
  if (typeof value !== 'object' || value === null) return 0
  return Object.values(value).reduce((sum: number, member) => {
    const isObjects = Array.isArray(member) && member.some((one) => typeof one === 'object')
    return sum + (isObjects ? member.length : 1) + countValues(member)
  }, 0)
}
