import { expect, test } from 'vitest'
import { CreateSwapDocument } from '../support/generated.ts'
import { stillClock } from '../support/still-clock.ts'
import { openTestApp, type TestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'

async function createJobs({ graphql }: TestApp, count: number): Promise<string[]> {
  const answers = await Promise.all(
    Array.from({ length: count }, (_unused, index) =>
      graphql(CreateSwapDocument.toString(), {
        input: {
          targetImage: { url: `https://example.com/t${index}.jpg` },
          swapImage: { url: 'https://example.com/f.jpg' },
        },
      }),
    ),
  )
  return answers.map(({ data }) => data.createSwap.job.id)
}

const fetchesOf = ({ upstream }: TestApp) => upstream.accepted.reduce((sum, { fetches }) => sum + fetches, 0)

/** Returns a document of `aliases` fields that select `ids` in turn. */
const aliased = (ids: readonly string[], aliases: number) =>
  `{ ${Array.from({ length: aliases }, (_unused, n) => `a${n}: swapJob(id: "${ids[n % ids.length]}") { id status }`).join(' ')} }`

test('100 aliases over 10 unfinished jobs cause one fetch upstream per job', async () => {
  const gateway = await openTestApp()
  const ids = await createJobs(gateway, 10)
  const { data } = await gateway.graphql(aliased(ids, 100))
  expect(Object.keys(data)).toHaveLength(100)
  expect(Object.values(data)).toEqual(
    Array.from({ length: 100 }, (_unused, n) => ({ id: ids[n % 10], status: 'ON_QUEUE' })),
  )
  expect(gateway.upstream.accepted.map(({ fetches }) => fetches)).toEqual(Array.from({ length: 10 }, () => 1))
})

test('a query for a finished job causes no fetch upstream, however often it is repeated', async () => {
  const gateway = await openTestApp()
  const [id = ''] = await createJobs(gateway, 1)
  const [job] = gateway.upstream.accepted
  if (!job) throw new Error('the upstream took no job')
  job.state = { status: 'SUCCESS' }
  await gateway.upstream.sendHook(job)
  await until(async () => (await gateway.graphql(aliased([id], 1))).data.a0.status === 'SUCCESS')
  const before = fetchesOf(gateway)
  const { data } = await gateway.graphql(aliased([id], 100))
  expect(data.a99.status).toBe('SUCCESS')
  expect(fetchesOf(gateway)).toBe(before)
})

test('queries for one job at the same moment share one fetch, and another within a second gets the stored state', async () => {
  const gateway = await openTestApp()
  const ids = await createJobs(gateway, 1)
  await Promise.all(Array.from({ length: 25 }, () => gateway.graphql(aliased(ids, 1))))
  await gateway.graphql(aliased(ids, 1))
  expect(fetchesOf(gateway)).toBe(1)
})

test('one request causes at most 20 fetches, and further jobs are returned as stored', async () => {
  const gateway = await openTestApp({ settings: { MAX_IN_FLIGHT: '50', FETCH_PER_SECOND: '100' } })
  const ids = await createJobs(gateway, 30)
  const { data } = await gateway.graphql(aliased(ids, 30))
  expect(Object.values(data).every((job) => (job as { status: string }).status === 'ON_QUEUE')).toBe(true)
  expect(fetchesOf(gateway)).toBe(20)
})

test('a query returns an outcome whose hook was lost, and the timeline names the fetch as its source', async () => {
  const gateway = await openTestApp()
  const [id = ''] = await createJobs(gateway, 1)
  const [job] = gateway.upstream.accepted
  if (!job) throw new Error('the upstream took no job')
  job.state = { status: 'SUCCESS' }
  const { data } = await gateway.graphql(`{ swapJob(id: "${id}") { status done timeline { status source } } }`)
  expect(data.swapJob).toMatchObject({ status: 'SUCCESS', done: true })
  expect(data.swapJob.timeline.at(-1)).toEqual({ status: 'SUCCESS', source: 'FETCH' })
})

const ODD_ANSWERS = {
  'an error': { status: 500, body: 'oops' },
  'a page of HTML': { status: 200, body: '<html>502 Bad Gateway</html>' },
  'an unknown id': { status: 404, body: '{"status":"FAILED","message":"job not found","data":null}' },
  'FAILED without an id': { status: 200, body: '{"status":"FAILED","message":null,"data":null}' },
  'an unknown status': { status: 200, body: '{"status":"PENDING_QUEUE","message":null,"data":null}' },
  'a truncated response': { status: 200, body: '{"status":"FAI' },
  'another job': { status: 200, body: '{"status":"FAILED","jobId":"SWAP-FACE-2","data":null}' },
  'nothing at all': { status: 200, body: '' },
}

test.each(Object.entries(ODD_ANSWERS))('a fetch with %s does not fail the job', async (_name, plan) => {
  const gateway = await openTestApp()
  const ids = await createJobs(gateway, 1)
  gateway.upstream.planFetches(plan)
  const { data, errors } = await gateway.graphql(aliased(ids, 1))
  expect(errors).toBeUndefined()
  expect(data.a0.status).toBe('ON_QUEUE')
})

test('a query returns a job by `node` that `nodes` loads in the same operation', async () => {
  const gateway = await openTestApp()
  const [id = ''] = await createJobs(gateway, 1)
  const { data, errors } = await gateway.graphql(
    `{ nodes(ids: ["${id}", "job_none"]) { __typename } node(id: "${id}") { __typename id } }`,
  )
  expect(errors).toBeUndefined()
  expect(data).toEqual({ nodes: [{ __typename: 'SwapJob' }, null], node: { __typename: 'SwapJob', id } })
})

test("a query finds the caller's own job by its upstream id too, and by `node` and `nodes`", async () => {
  const gateway = await openTestApp()
  const [id = ''] = await createJobs(gateway, 1)
  const upstreamId = gateway.upstream.accepted[0]?.id
  const { data } = await gateway.graphql(
    `{ swapJob(id: "${upstreamId}") { id } node(id: "${id}") { __typename id } nodes(ids: ["${id}", "job_none"]) { id } }`,
  )
  expect(data).toEqual({ swapJob: { id }, node: { __typename: 'SwapJob', id }, nodes: [{ id }, null] })
})

test('a query for an unknown job returns null', async () => {
  const { graphql, upstream } = await openTestApp()
  const { data, errors } = await graphql('{ swapJob(id: "job_none") { id } node(id: "") { id } }')
  expect({ data, errors }).toEqual({ data: { swapJob: null, node: null }, errors: undefined })
  expect(upstream.accepted).toHaveLength(0)
})

test('`_entities` resolves the references of a federation router in one batch, with null for unknown ones', async () => {
  const gateway = await openTestApp({ clock: stillClock })
  const ids = await createJobs(gateway, 3)
  const ask = () =>
    gateway.graphql('query ($of: [_Any!]!) { _entities(representations: $of) { ... on SwapJob { id status } } }', {
      of: [...ids, 'job_none'].map((id) => ({ __typename: 'SwapJob', id })),
    })
  // The first read fetches upstream and stores the finding.
  await ask()
  const before = gateway.queries()
  const { data } = await ask()
  expect(data._entities).toEqual([...ids.map((id) => ({ id, status: 'ON_QUEUE' })), null])
  expect(gateway.queries() - before).toBe(2)
})

test('`_entities` resolves valid representations, and returns an error for each invalid one', async () => {
  const gateway = await openTestApp({ clock: stillClock })
  const [id = ''] = await createJobs(gateway, 1)
  const { data, errors } = await gateway.graphql(
    'query ($of: [_Any!]!) { _entities(representations: $of) { __typename ... on SwapJob { id } } }',
    { of: [{ __typename: 'SwapJob', id }, { __typename: 'Toaster', id }, { __typename: 'SwapJob' }, 'SwapJob'] },
  )
  expect(data._entities).toEqual([{ __typename: 'SwapJob', id }, null, null, null])
  expect(errors?.map(({ path, extensions }) => [path, extensions?.code])).toEqual([
    [['_entities', 1], 'INVALID_INPUT'],
    [['_entities', 2], 'INVALID_INPUT'],
    [['_entities', 3], 'INVALID_INPUT'],
  ])
})

test('a query waits for `waitMs`, and refuses a value out of range', async () => {
  const gateway = await openTestApp()
  const [id = ''] = await createJobs(gateway, 1)
  const [job] = gateway.upstream.accepted
  if (!job) throw new Error('the upstream took no job')
  const answer = gateway.graphql(`{ swapJob(id: "${id}", waitMs: 20000) { status } }`)
  await until(() => job.fetches === 1)
  job.state = { status: 'SUCCESS' }
  await gateway.upstream.sendHook(job)
  expect((await answer).data.swapJob.status).toBe('SUCCESS')

  const refused = await gateway.graphql(`{ swapJob(id: "${id}", waitMs: 25001) { status } }`)
  expect(refused.errors).toMatchObject([
    { message: 'waitMs must be from 0 to 25000.', extensions: { code: 'INVALID_INPUT' } },
  ])
})

test('the result has the link that works, and its expiry', async () => {
  const gateway = await openTestApp()
  const [id = ''] = await createJobs(gateway, 1)
  const [job] = gateway.upstream.accepted
  if (!job) throw new Error('the upstream took no job')
  const ended = 'https://mjcdn.ttapi.io/x.jpg?ex=66344d83&is=6621d883&hm=a0&'
  const working = 'https://discord.example.com/x.jpg?ex=7fffffff&is=6621d883&hm=a0&'
  job.state = { status: 'SUCCESS', links: { cdnImage: ended, discordImage: working } }
  const { data } = await gateway.graphql(
    `{ swapJob(id: "${id}") { result { url expiresAt cdnImage discordImage linksExpireAt } } }`,
  )
  expect(data.swapJob.result).toEqual({
    url: working,
    expiresAt: '2038-01-19T03:14:07.000Z',
    cdnImage: ended,
    discordImage: working,
    linksExpireAt: '2024-05-03T02:35:47.000Z',
  })
})
