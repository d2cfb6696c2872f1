/** Expensive or probing documents: refused on every transport, and the next request is served. */
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { INPUT, KEYS, openStage, openWire, post, read, type Stage } from './stage.ts'
import { until } from '../support/until.ts'

let stage: Stage
beforeAll(async () => {
  stage = await openStage()
}, 60_000)
afterAll(() => stage.close())

const times = (count: number, part: (n: number) => string) =>
  Array.from({ length: count }, (_u, n) => part(n)).join(' ')

const REFUSED: Record<string, string> = {
  '101 aliases': `{ ${times(101, (n) => `a${n}: __typename`)} }`,
  '20,000 aliases': `{ ${times(20_000, (n) => `a${n}:b`)} }`,
  '5,000 nested braces': `${'{a'.repeat(5_000)}${'}'.repeat(5_000)}`,
  'eleven levels': `{ swapJob(id: "1") ${'{ targetImage '.repeat(10)}{ url }${' }'.repeat(10)} }`,
  'levels hidden in fragments': `{ ...F0 } ${times(12, (n) => `fragment F${n} on Query { a { ...F${n + 1} } }`)} fragment F12 on Query { b }`,
  '101 root fields': `{ ${times(101, () => '__typename')} }`,
  '21 fields of one name': `{ swapJob(id: "1") { ${times(21, () => 'status')} } }`,
  'overlapping fields': `{ swapJob(id: "1") { ${times(900, () => 'id')} } }`,
  'overlapping fields in an unused fragment': `{ __typename } fragment F on SwapJob { ${times(900, () => 'id')} }`,
  'overlapping fields in many fragments': `{ swapJob(id: "1") { ${times(150, (n) => `...F${n}`)} } } ${times(150, (n) => `fragment F${n} on SwapJob { id status }`)}`,
  'fragments that double': `{ ...F0 } ${times(30, (n) => `fragment F${n} on Query { a${n}: node(id: 1) { ...F${n + 1} } b${n}: node(id: 2) { ...F${n + 1} } }`)} fragment F30 on Query { __typename }`,
  'fragments in a cycle': '{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }',
  'eleven directives on variables': `query ${'($a: Int ' + '@a '.repeat(11) + ')'} { __typename }`,
  'eleven directives on a fragment definition': `{ ...F } fragment F on Query ${'@a '.repeat(11)} { __typename }`,
  'eleven lists': `{ ${times(11, (n) => `a${n}: swapJobs { totalCount }`)} }`,
  'eleven directives': `{ __typename ${times(11, () => '@include(if: true)')} }`,
  'eleven directives on fragments': `{ ${times(11, (n) => `... @include(if: true) { a${n}: __typename }`)} }`,
  'six mutations': `mutation { ${times(6, (n) => `m${n}: createSwap(input: { targetImage: { url: "https://example.com/${n}" }, swapImage: { url: "https://example.com/f" } }) { __typename }`)} }`,
  '2,001 tokens of nothing': `{ __typename ${times(2_001, () => '@a')} }`,
  introspection: '{ __schema { types { name } } }',
  'introspection of one type': '{ __type(name: "Query") { name } }',
  'the SDL of the subgraph': '{ _service { sdl } }',
  'the SDL under another name': 'query { x: _service { y: sdl } }',
  'a comment': '# nothing',
  'a document of types': 'type Query { a: Int }',
  'an unknown directive': '{ __typename @defer }',
  'a variable of an unknown type': 'query ($a: Nope) { __typename }',
}

describe.each(Object.entries(REFUSED))('%s', (_name, query) => {
  test.each([
    ['application/graphql-response+json', 400],
    ['application/json', 200],
  ])('is refused as %s with %i and a short message, and has no effect', async (accept, expected) => {
    const { status, json, text } = await post(stage.url, { query }, { accept })
    expect(status).toBe(expected)
    expect(json.errors[0].message).toEqual(expect.any(String))
    expect(text).not.toMatch(/"data":\{|Did you mean|at Object|node_modules|type SwapJob/)
    expect(text.length).toBeLessThan(20_000)
    expect(stage.upstream.submits).toBe(0)
  })
})

describe('a document over the limits', () => {
  const heavy = [
    '101 aliases',
    'eleven lists',
    'overlapping fields',
    'eleven directives',
    'introspection',
    'the SDL of the subgraph',
  ]

  test.each(heavy)('with %s is refused over SSE', async (name) => {
    const { text } = await post(stage.url, { query: REFUSED[name] }, { accept: 'text/event-stream' })
    expect(text).toMatch(/^event: next\ndata: \{"errors":\[/)
  })

  test.each(heavy)('with %s is refused over WebSocket', async (name) => {
    const { socket, messages, send } = openWire(stage.url)
    await once(socket, 'open')
    send({ type: 'connection_init', payload: { authorization: `Bearer ${KEYS.acme}` } })
    await until(() => messages.some(({ type }) => type === 'connection_ack'))
    send({ type: 'subscribe', id: '1', payload: { query: REFUSED[name] } })
    const refusal = await until(() => messages.find(({ type }) => type === 'error'))
    expect(refusal.payload).toEqual(expect.arrayContaining([expect.objectContaining({ message: expect.any(String) })]))
    socket.terminate()
  })

  test.each(heavy)('with %s is refused over GET', async (name) => {
    const address = `${stage.url}/graphql?query=${encodeURIComponent(REFUSED[name] ?? '')}`
    const headers = { 'x-api-key': KEYS.acme, accept: 'application/graphql-response+json' }
    const { status } = await read(await fetch(address, { headers }))
    expect(status).toBe(400)
  })
})

describe('an error about', () => {
  test.each([
    ['a field', '{ swapJo(id: "1") { id } }'],
    ['a type', '{ node(id: "1") { ... on SwapJo { id } } }'],
    ['an argument', '{ swapJob(idd: "1") { id } }'],
    ['a member of an input', 'mutation { createSwap(input: { targetImag: {}, swapImage: {} }) { __typename } }'],
    ['a value of an enum', 'subscription { swapJobsUpdated(filter: { statuses: [SUCCES] }) { kind } }'],
  ])('%s that is misspelt suggests no name of the schema', async (_what, query) => {
    const { text } = await post(stage.url, { query })
    expect(text).toContain('"errors"')
    expect(text).not.toContain('Did you mean')
  })

  test.each<[string, string, object]>([
    ['a value of an enum', 'query ($w: SwapUsageWindow) { swapUsage(window: $w) { jobs } }', { w: 'LAST_HOURS' }],
    ['a member of an input', 'query ($f: SwapJobFilter) { swapJobs(filter: $f) { nodes { id } } }', { f: { tag: [] } }],
    [
      'a member of an input in a mutation',
      'mutation ($input: CreateSwapInput!) { createSwap(input: $input) { __typename } }',
      { input: { ...INPUT, targetImag: { url: 'https://example.com' } } },
    ],
    [
      'a member deep in a list of inputs',
      'mutation ($items: [CreateSwapInput!]!) { createSwapBatch(input: { items: $items }) { __typename } }',
      { items: [{ ...INPUT, swapImag: {} }] },
    ],
  ])(
    '%s in a variable suggests no name of the schema, on any transport, even if the document is cached',
    async (_what, query, variables) => {
      for (let n = 0; n < 3; n += 1) {
        const { text } = await post(stage.url, { query, variables })
        expect(text).toContain('"errors"')
        expect(text).not.toContain('Did you mean')
      }
      const { text } = await post(stage.url, { query, variables }, { accept: 'text/event-stream' })
      expect(text).toContain('"errors"')
      expect(text).not.toContain('Did you mean')
      const { socket, messages, send } = openWire(stage.url)
      await once(socket, 'open')
      send({ type: 'connection_init', payload: { authorization: `Bearer ${KEYS.acme}` } })
      await until(() => messages.some(({ type }) => type === 'connection_ack'))
      send({ type: 'subscribe', id: '1', payload: { query, variables } })
      const answer = await until(() => messages.find(({ id }) => id === '1'))
      expect(JSON.stringify(answer)).not.toContain('Did you mean')
      socket.terminate()
    },
  )

  test('nor has a variable', async () => {
    const query = 'subscription ($s: [SwapJobStatus!]) { swapJobsUpdated(filter: { statuses: $s }) { kind } }'
    const { text } = await post(stage.url, { query, variables: { s: ['SUCCES'] } }, { accept: 'text/event-stream' })
    expect(text).toContain('errors')
    expect(text).not.toContain('Did you mean')
  })
})

describe('a document', () => {
  test('with more than 200 representations is refused before any of them is loaded', async () => {
    const query = 'query ($r: [_Any!]!) { _entities(representations: $r) { ... on SwapJob { id } } }'
    const r = Array.from({ length: 201 }, (_u, n) => ({ __typename: 'SwapJob', id: `job_${n}` }))
    const { json } = await post(stage.url, { query, variables: { r } })
    expect(json.errors[0].extensions.code).toBe('COST_ESTIMATED_TOO_EXPENSIVE')
    expect((await post(stage.url, { query, variables: { r: r.slice(1) } })).json.data._entities).toHaveLength(200)
  })

  test('with more than 200 ids is refused', async () => {
    const { json } = await post(stage.url, { query: `{ nodes(ids: [${times(201, (n) => `${n}`)}]) { id } }` })
    expect(json.errors[0].extensions.code).toBe('COST_ESTIMATED_TOO_EXPENSIVE')
  })

  test('with more than 200 ids in a filter is refused', async () => {
    const query = 'subscription ($ids: [ID!]) { swapJobsUpdated(filter: { ids: $ids }) { kind } }'
    const ids = Array.from({ length: 201 }, (_u, n) => `job_${n}`)
    const { text } = await post(stage.url, { query, variables: { ids } }, { accept: 'text/event-stream' })
    expect(text).toContain('INVALID_INPUT')
  })
})

test('a batch of operations is refused, and none of them runs', async () => {
  const { status } = await post(stage.url, [{ query: '{ __typename }' }, { query: '{ __typename }' }])
  expect(status).toBe(400)
})

test('an operation name of many kilobytes is refused', async () => {
  const { status } = await post(stage.url, { query: 'query A { __typename }', operationName: 'A'.repeat(10_000) })
  expect(status).toBe(400)
})

test('a document that is within every limit is served', async () => {
  const query = `{ ${times(100, (n) => `a${n}: swapJob(id: "${n}") { id }`)} }`
  expect((await post(stage.url, { query })).status).toBe(200)
})
