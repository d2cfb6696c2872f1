/** Values of the upstream and of callers that one of the databases rejects. */
import { expect, test } from 'vitest'
import { CreateSwapDocument } from '../support/generated.ts'
import { type AcceptedJob, toDocument } from '../support/fake-upstream.ts'
import { createFastClock } from '../support/fast-clock.ts'
import { openTestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const INPUT = { targetImage: { url: 'https://example.com/t.jpg' }, swapImage: { url: 'https://example.com/f.jpg' } }

const withData = (job: AcceptedJob, over: object, status = 'SUCCESS') => {
  const document = { data: {}, ...toDocument(job) }
  return { status: 200, body: JSON.stringify({ ...document, status, data: { ...document.data, ...over } }) }
}

test.each([
  ['a quota above 2^31 - 1', { quota: 2 ** 31 }],
  ['a quota of 2^53', { quota: '9007199254740992' }],
  ['NUL in a link', { discordImage: 'https://discord.example.com/\0' }],
  ['half a surrogate pair in a link', { discordImage: 'https://discord.example.com/\ud800' }],
])('a result with %s is stored, and the usage can be read', async (_name, over) => {
  const gateway = await openTestApp({ clock: createFastClock(20) })
  await gateway.graphql(CreateSwapDocument.toString(), { input: INPUT })
  const [job] = gateway.upstream.accepted
  if (!job) throw new Error('the upstream took no job')
  job.state = { status: 'SUCCESS' }
  gateway.upstream.failFetches(() => withData(job, over))
  const read = async () =>
    (await gateway.graphql('{ swapJobs(first: 1) { nodes { status charge { state } } } swapUsage { quotaSpent } }'))
      .data
  await until(async () => (await read())?.swapJobs.nodes[0].status === 'SUCCESS')
  expect(await read()).toMatchObject({ swapJobs: { nodes: [{ charge: { state: 'CHARGED' } }] } })
})

test('NUL in a status is dropped, and polling continues until the result', async () => {
  const gateway = await openTestApp({ clock: createFastClock(20) })
  const { data } = await gateway.graphql(CreateSwapDocument.toString(), { input: INPUT })
  const { id } = data.createSwap.job
  const [job] = gateway.upstream.accepted
  if (!job) throw new Error('the upstream took no job')
  const read = async () => (await gateway.graphql(`{ swapJob(id: "${id}") { status upstreamStatus } }`)).data.swapJob
  gateway.upstream.failFetches(() => withData(job, {}, 'WORK\0ING'))
  expect(await until(async () => (await read()).upstreamStatus === 'WORKING')).toBe(true)
  job.state = { status: 'SUCCESS' }
  gateway.upstream.failFetches(null)
  await until(async () => (await read()).status === 'SUCCESS')
})

test('an upstream id with NUL is ignored: a hook with it changes nothing, a submit answered with it is UNCONFIRMED', async () => {
  const gateway = await openTestApp()
  const body = JSON.stringify({ status: 'SUCCESS', message: '', data: { jobId: 'SWAP\0FACE' } })
  gateway.upstream.planSubmits({ kind: 'acceptAndAnswer', status: 200, body })
  const { data } = await gateway.graphql(CreateSwapDocument.toString(), { input: INPUT })
  expect(data.createSwap.job.status).toBe('UNCONFIRMED')
  const [job] = gateway.upstream.accepted
  if (!job) throw new Error('the upstream took no job')
  expect(await gateway.upstream.sendHook(job, JSON.stringify({ jobId: 'SWAP\0FACE' }))).toBe(200)
  job.state = { status: 'SUCCESS' }
  expect(await gateway.upstream.sendHook(job)).toBe(200)
  await until(
    async () =>
      (await gateway.graphql(`{ swapJob(id: "${data.createSwap.job.id}") { status } }`)).data.swapJob.status ===
      'SUCCESS',
  )
})

const UNSTORABLE = ['job_\0', 'job_\ud800', '\udc00']

test.each(UNSTORABLE)(
  'an id that no database can hold (%j) is unknown everywhere, and never an unexpected error',
  async (id) => {
    const { graphql } = await openTestApp()
    const { data, errors } = await graphql(
      `
        query ($id: ID!, $text: String!, $ids: [ID!]!) {
          swapJob(id: $id) {
            id
          }
          node(id: $id) {
            id
          }
          swapJobs(filter: { ids: $ids }) {
            nodes {
              id
            }
            totalCount
          }
          byTag: swapJobs(filter: { tags: [$text] }) {
            nodes {
              id
            }
          }
          byReference: swapJobs(filter: { clientReference: $text }) {
            nodes {
              id
            }
          }
        }
      `,
      { id, text: id, ids: [id] },
    )
    expect(errors).toBeUndefined()
    expect(data).toMatchObject({
      swapJob: null,
      node: null,
      swapJobs: { nodes: [], totalCount: 0 },
      byTag: { nodes: [] },
    })
    const changed = await graphql(
      `
        mutation ($id: ID!, $ids: [ID!]!) {
          cancelSwap(input: { id: $id }) {
            __typename
          }
          retrySwap(input: { id: $id }) {
            __typename
          }
          replaySwapHook(input: { id: $id }) {
            __typename
          }
          forgetSwaps(input: { ids: $ids }) {
            __typename
          }
        }
      `,
      { id, ids: [id] },
    )
    expect(changed.errors).toBeUndefined()
    for (const result of Object.values(changed.data as object)) {
      expect(result).toEqual({ __typename: 'SwapNotFoundError' })
    }
  },
)

test.each(UNSTORABLE)('an input that no database can hold (%j) is refused with its path', async (text) => {
  const { graphql, upstream } = await openTestApp()
  const create = async (over: object) =>
    (
      await graphql(
        `
          mutation ($input: CreateSwapInput!) {
            createSwap(input: $input) {
              ... on SwapInvalidInputError {
                issues {
                  path
                  code
                }
              }
            }
          }
        `,
        { input: { ...INPUT, ...over } },
      )
    ).data.createSwap.issues
  const address = `https://example.com/${text}`
  const codes = {
    idempotencyKey: await create({ idempotencyKey: text }),
    clientReference: await create({ clientReference: text }),
    tags: await create({ tags: [text] }),
    hookUrl: await create({ hookUrl: address }),
    targetImage: await create({ targetImage: { url: address } }),
    uploadId: await create({ targetImage: { uploadId: text } }),
    resultOf: await create({ swapImage: { resultOf: text } }),
  }
  for (const [name, issues] of Object.entries(codes)) {
    expect(issues, name).toEqual([{ path: expect.arrayContaining(['input']), code: expect.any(String) }])
  }
  expect(upstream.submits).toBe(0)
})
