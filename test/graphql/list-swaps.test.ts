/** Lists of jobs for a back office: pagination, filters and their cost. */
import { describe, expect, test } from 'vitest'
import { createStepClock } from '../support/step-clock.ts'
import { seedJobs } from '../support/seed-jobs.ts'
import { databaseUrlOf, makeDataDir, openTestApp, subscribeSse, type TestApp } from '../support/test-app.ts'

const INPUT = { targetImage: { url: 'https://example.com/t.jpg' }, swapImage: { url: 'https://example.com/f.jpg' } }
const CREATE =
  'mutation ($input: CreateSwapInput!) { createSwap(input: $input) { ... on CreateSwapSuccess { job { id } } } }'

async function create(gateway: TestApp, over: object = {}): Promise<string> {
  const { data } = await gateway.graphql(CREATE, { input: { ...INPUT, ...over } })
  return data.createSwap.job.id as string
}

async function list(gateway: TestApp, args: string, fields = 'nodes { id }') {
  return (await gateway.graphql(`{ swapJobs${args} { ${fields} } }`)).data.swapJobs
}

/** Jobs in their order of creation. */
async function openWith(count: number, over: (n: number) => object = () => ({})) {
  const clock = createStepClock()
  const gateway = await openTestApp({ clock, settings: { MAX_IN_FLIGHT: '1000' } })
  const ids: string[] = []
  for (let n = 0; n < count; n += 1) {
    ids.push(await create(gateway, over(n)))
    // Every third job has the same creation time as the one before it.
    if (n % 3 !== 0) clock.step(1_000)
  }
  return { gateway, ids, newestFirst: ids.toReversed() }
}

const PAGE = 'edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount'

async function walk(gateway: TestApp, direction: 'forward' | 'backward', size: number): Promise<string[]> {
  const seen: string[] = []
  for (let cursor: string | null = null; ;) {
    const at = cursor === null ? '' : `, ${direction === 'forward' ? 'after' : 'before'}: "${cursor}"`
    const page = await list(gateway, `(${direction === 'forward' ? 'first' : 'last'}: ${size}${at})`, PAGE)
    const ids = page.edges.map(({ node }: { node: { id: string } }) => node.id)
    if (direction === 'forward') seen.push(...ids)
    else seen.unshift(...ids)
    const { hasNextPage, hasPreviousPage, startCursor, endCursor } = page.pageInfo
    if (!(direction === 'forward' ? hasNextPage : hasPreviousPage)) return seen
    cursor = direction === 'forward' ? endCursor : startCursor
  }
}

test('every job is on exactly one page, the newest first, in either direction and with any page size', async () => {
  const { gateway, newestFirst } = await openWith(11)
  for (const size of [1, 3, 11, 20]) {
    expect(await walk(gateway, 'forward', size)).toHaveLength(11)
    expect(new Set(await walk(gateway, 'forward', size))).toEqual(new Set(newestFirst))
    expect(await walk(gateway, 'backward', size)).toEqual(await walk(gateway, 'forward', size))
  }
})

test('a page tells whether there are more jobs, and counts all of them if requested', async () => {
  const { gateway } = await openWith(5)
  const first = await list(gateway, '(first: 2)', PAGE)
  expect(first).toMatchObject({ totalCount: 5, pageInfo: { hasNextPage: true, hasPreviousPage: false } })
  const second = await list(gateway, `(first: 3, after: "${first.pageInfo.endCursor}")`, PAGE)
  expect(second).toMatchObject({ pageInfo: { hasNextPage: false, hasPreviousPage: true } })
  expect(await list(gateway, '', 'nodes { id } totalCount')).toMatchObject({ nodes: { length: 5 } })
})

test('jobs that are created meanwhile do not move other jobs to another page', async () => {
  const { gateway, newestFirst } = await openWith(6)
  const first = await list(gateway, '(first: 3)', PAGE)
  await create(gateway)
  const second = await list(gateway, `(first: 3, after: "${first.pageInfo.endCursor}")`, PAGE)
  const seen = [...first.edges, ...second.edges].map(({ node }: { node: { id: string } }) => node.id)
  expect(new Set(seen)).toEqual(new Set(newestFirst))
})

describe('a list can be filtered', () => {
  test.each([
    ['by tags, all of them', '(filter: { tags: ["even", "third"] })', (n: number) => n % 6 === 0],
    ['by a reference', '(filter: { clientReference: "ref-1" })', (n: number) => n % 4 === 1],
    ['by status', '(filter: { statuses: [ON_QUEUE] })', () => true],
    ['by several statuses', '(filter: { statuses: [SUCCESS, ON_QUEUE, FAILED] })', () => true],
    ['by a status that no job has', '(filter: { statuses: [LOST] })', () => false],
    ['by being done', '(filter: { done: true })', () => false],
    ['by an impossible combination', '(filter: { done: true, statuses: [ON_QUEUE] })', () => false],
    ['by an empty list of ids', '(filter: { ids: [] })', () => false],
    ['by several criteria', '(filter: { tags: ["even"], clientReference: "ref-0" })', (n: number) => n % 4 === 0],
  ])('%s', async (_how, args, fits) => {
    const { gateway, ids } = await openWith(12, (n) => ({
      clientReference: `ref-${n % 4}`,
      tags: [...(n % 2 === 0 ? ['even'] : ['odd']), ...(n % 3 === 0 ? ['third'] : [])],
    }))
    const { nodes, totalCount } = await list(gateway, args, 'nodes { id } totalCount')
    const expected = ids.filter((_id, n) => fits(n))
    expect(new Set(nodes.map(({ id }: { id: string }) => id))).toEqual(new Set(expected))
    expect(totalCount).toBe(expected.length)
  })

  test('by ids of either kind', async () => {
    const { gateway, ids } = await openWith(3)
    const upstreamId = gateway.upstream.accepted[1]?.id ?? ''
    const { nodes } = await list(gateway, `(filter: { ids: ["${ids[0]}", "${upstreamId}", "job_none"] })`)
    expect(new Set(nodes.map(({ id }: { id: string }) => id))).toEqual(new Set([ids[1], ids[0]]))
  })

  test('by time of creation', async () => {
    const { gateway } = await openWith(6)
    const { nodes } = await list(gateway, '', 'nodes { id createdAt }')
    const [, , third] = nodes as { createdAt: string }[]
    const from = await list(gateway, `(filter: { createdFrom: "${third?.createdAt}" })`)
    const before = await list(gateway, `(filter: { createdBefore: "${third?.createdAt}" })`)
    expect(from.nodes.length + before.nodes.length).toBe(6)
    expect(before.nodes.length).toBeGreaterThan(0)
  })
})

test.each([
  '(first: 0)',
  '(first: 101)',
  '(last: -1)',
  '(first: 1, last: 1)',
  '(first: 1, before: "x")',
  '(after: "nonsense")',
  `(after: "${Buffer.from('1 x; drop table jobs').toString('base64url')}")`,
])('%s is refused with a remedy', async (args) => {
  const gateway = await openTestApp()
  const { errors } = await gateway.graphql(`{ swapJobs${args} { nodes { id } } }`)
  expect(errors?.[0]?.extensions?.code).toBe('INVALID_INPUT')
})

test('a list causes no request to the upstream', async () => {
  const { gateway } = await openWith(3)
  const before = gateway.upstream.fetched.length
  await list(gateway, '', 'nodes { id status }')
  expect(gateway.upstream.fetched.length).toBe(before)
})

test('a filter without an index is compared with a bounded number of jobs, while others are served', async () => {
  const dataDir = await makeDataDir()
  const gateway = await openTestApp({ dataDir })
  await create(gateway, { tags: ['x'] })
  const older = { created_at: 'created_at - n' }
  await seedJobs(await databaseUrlOf(dataDir), 10_100, older, { job_tags: older })
  const ended: string[] = []
  const scan = gateway
    .graphql('{ swapJobs(filter: { tags: ["x"], statuses: [LOST] }) { nodes { id } } }')
    .finally(() => ended.push('scan'))
  await gateway.graphql('{ swapJobs(first: 1) { nodes { id } } }').finally(() => ended.push('other'))
  const { errors } = await scan
  expect(ended).toEqual(['other', 'scan'])
  expect(errors?.[0]).toMatchObject({ extensions: { code: 'INVALID_INPUT' } })
  expect(errors?.[0]?.message).toMatch(/More than 10000 jobs.*createdFrom/)
  const from = new Date(Date.now() - 10_000).toISOString()
  const narrowed = `{ swapJobs(filter: { tags: ["x"], statuses: [LOST], createdFrom: "${from}" }) { totalCount nodes { id } } }`
  expect((await gateway.graphql(narrowed)).data.swapJobs).toEqual({ totalCount: 0, nodes: [] })
})

test('a filter with more tags than a job may have is refused, in lists and in subscriptions', async () => {
  const { graphql, app } = await openTestApp()
  const tags = JSON.stringify(Array.from({ length: 11 }, (_u, n) => `t${n}`))
  const { errors } = await graphql(`{ swapJobs(filter: { tags: ${tags} }) { nodes { id } } }`)
  expect(errors?.[0]).toMatchObject({
    message: expect.stringContaining('at most 10 tags'),
    extensions: { code: 'INVALID_INPUT' },
  })
  const query = `subscription { swapJobsUpdated(filter: { tags: ${tags} }) { kind } }`
  const { value } = await subscribeSse(app.url, query, {}).next()
  expect(value.errors[0].extensions.code).toBe('INVALID_INPUT')
})
