/** Batches, retries, and canceling waiting jobs. */
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { openTestApp, type TestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const image = (name: string) => ({ url: `https://example.com/${name}.jpg` })
const input = (n: number | string, over: object = {}) => ({
  targetImage: image(`t${n}`),
  swapImage: image('f'),
  ...over,
})

const RESULT = `__typename
  ... on CreateSwapSuccess { reused job { id status retryOf { id } tags clientReference } }
  ... on SwapInvalidInputError { issues { path code } }
  ... on SwapError { code retryable }
  ... on SwapNotFoundError { ids }
  ... on SwapStateError { held: job { id } }`
const BATCH = `mutation ($input: CreateSwapBatchInput!) { createSwapBatch(input: $input) { __typename
  ... on CreateSwapBatchSuccess { items { ${RESULT} } } ... on SwapInvalidInputError { issues { path code } } } }`
const CREATE = `mutation ($input: CreateSwapInput!) { createSwap(input: $input) { ${RESULT} } }`
const RETRY = `mutation ($input: RetrySwapInput!) { retrySwap(input: $input) { ${RESULT} } }`
const CANCEL = `mutation ($id: ID!) { cancelSwap(input: { id: $id }) { __typename
  ... on CancelSwapSuccess { job { id status failure { code retryable } charge { state } timeline { status source } } }
  ... on SwapStateError { code held: job { id status } } ... on SwapNotFoundError { ids } } }`

const batch = async (gateway: TestApp, items: object[], headers: Record<string, string> = {}) =>
  (await gateway.graphql(BATCH, { input: { items } }, headers)).data.createSwapBatch
const create = async (gateway: TestApp, one: object) => (await gateway.graphql(CREATE, { input: one })).data.createSwap
const retry = async (gateway: TestApp, one: object) => (await gateway.graphql(RETRY, { input: one })).data.retrySwap
const cancel = async (gateway: TestApp, id: string) => (await gateway.graphql(CANCEL, { id })).data.cancelSwap

const busy = { kind: 'answer', status: 429, body: '{"status":"FAILED"}' } as const
const refusal = { kind: 'answer', status: 400, body: '{"status":"FAILED","message":"no face","data":null}' } as const

describe('a batch', () => {
  test('of a hundred items with ten bad ones creates ninety jobs in order, and returns them again for the same keys', async () => {
    const gateway = await openTestApp({ settings: { MAX_IN_FLIGHT: '200' } })
    const isBad = (n: number) => n % 10 === 7
    const items = Array.from({ length: 100 }, (_u, n) =>
      isBad(n) ? input(n, { targetImage: { url: 'nonsense' } }) : input(n, { idempotencyKey: `key ${n}` }),
    )
    const first = await batch(gateway, items)
    const made = first.items as { __typename: string; job?: { id: string }; issues?: object[] }[]
    expect(made.map(({ __typename }) => __typename)).toEqual(
      items.map((_u, n) => (isBad(n) ? 'SwapInvalidInputError' : 'CreateSwapSuccess')),
    )
    expect(made[7]?.issues).toEqual([{ path: ['input', 'items', '7', 'targetImage', 'url'], code: 'SCHEME_REQUIRED' }])
    expect(gateway.upstream.submits).toBe(90)
    expect(new Set(gateway.upstream.accepted.map(({ targetImage }) => targetImage)).size).toBe(90)

    const again = (await batch(gateway, items)).items as typeof made
    expect(again.map(({ job }) => job?.id)).toEqual(made.map(({ job }) => job?.id))
    expect(gateway.upstream.submits).toBe(90)
  })

  test('that is repeated with its key returns the same job for each item', async () => {
    const gateway = await openTestApp()
    const headers = { 'idempotency-key': 'the batch' }
    const [first, again] = [
      await batch(gateway, [input(1), input(2)], headers),
      await batch(gateway, [input(1), input(2)], headers),
    ]
    expect(again.items.map((item: { job: object }) => item.job)).toMatchObject(
      first.items.map((item: { job: { id: string } }) => ({ id: item.job.id })),
    )
    expect(gateway.upstream.submits).toBe(2)
  })

  test.each([0, 101])('of %i items is refused as a whole', async (count) => {
    const gateway = await openTestApp()
    const { issues } = await batch(
      gateway,
      Array.from({ length: count }, (_u, n) => input(n)),
    )
    expect(issues).toMatchObject([{ path: ['input', 'items'] }])
    expect(gateway.upstream.submits).toBe(0)
  })
})

describe('the same images', () => {
  test('are submitted once within an hour if reuseSameContent is set, and again if it is not', async () => {
    const gateway = await openTestApp()
    const first = await create(gateway, input(1))
    const reused = await create(gateway, input(1, { reuseSameContent: true }))
    expect(reused).toMatchObject({ reused: 'SAME_CONTENT', job: { id: first.job.id } })
    const anew = await create(gateway, input(1))
    expect(anew.job.id).not.toBe(first.job.id)
    expect((await create(gateway, input(2, { reuseSameContent: true }))).reused).toBe('NONE')
    expect(gateway.upstream.submits).toBe(3)
  })

  test('are submitted again if the swap with them has failed', async () => {
    const gateway = await openTestApp()
    gateway.upstream.planSubmits(refusal)
    await create(gateway, input(1))
    expect((await create(gateway, input(1, { reuseSameContent: true }))).reused).toBe('NONE')
  })
})

describe('retrySwap', () => {
  test('creates a new job with the images and texts of a failed one, and refers to it', async () => {
    const gateway = await openTestApp()
    gateway.upstream.planSubmits(refusal)
    await create(gateway, input(1, { tags: ['a'], clientReference: 'r' }))
    const { data } = await gateway.graphql('{ swapJobs { nodes { id status } } }')
    const [{ id }] = data.swapJobs.nodes
    const again = await retry(gateway, { id, idempotencyKey: 'k' })
    expect(again.job).toMatchObject({ status: 'ON_QUEUE', retryOf: { id }, tags: ['a'], clientReference: 'r' })
    expect(gateway.upstream.accepted[0]).toMatchObject({ targetImage: 'https://example.com/t1.jpg' })
    expect((await retry(gateway, { id, idempotencyKey: 'k' })).job.id).toBe(again.job.id)
    expect(gateway.upstream.accepted).toHaveLength(1)
  })

  test('refuses a job that may still succeed, and one that does not exist', async () => {
    const gateway = await openTestApp()
    const { job } = await create(gateway, input(1))
    expect(await retry(gateway, { id: job.id })).toMatchObject({ __typename: 'SwapStateError', held: { id: job.id } })
    expect(await retry(gateway, { id: 'job_none' })).toMatchObject({
      __typename: 'SwapNotFoundError',
      ids: ['job_none'],
    })
    expect(gateway.upstream.submits).toBe(1)
  })
})

describe('cancelSwap', () => {
  test('cancels a waiting job once, so that it is neither sent nor charged', async () => {
    const gateway = await openTestApp({ settings: { MAX_IN_FLIGHT: '1' } })
    await create(gateway, input(1))
    const { job } = await create(gateway, input(2))
    const stopped = await cancel(gateway, job.id)
    expect(stopped.job).toMatchObject({
      status: 'CANCELED',
      failure: { code: 'CANCELED', retryable: true },
      charge: { state: 'NOT_CHARGED' },
      timeline: [
        { status: 'PENDING', source: 'CALLER' },
        { status: 'CANCELED', source: 'CALLER' },
      ],
    })
    expect((await cancel(gateway, job.id)).job.status).toBe('CANCELED')
    expect(gateway.upstream.submits).toBe(1)
  })

  test('cancels a job that waits for its next attempt', async () => {
    const gateway = await openTestApp()
    gateway.upstream.planSubmits(busy)
    const { job } = await create(gateway, input(1))
    expect((await cancel(gateway, job.id)).job.status).toBe('CANCELED')
  })

  test('refuses a job that the upstream has, and returns its state', async () => {
    const gateway = await openTestApp()
    const { job } = await create(gateway, input(1))
    expect(await cancel(gateway, job.id)).toEqual({
      __typename: 'SwapStateError',
      code: 'WRONG_STATE',
      held: { id: job.id, status: 'ON_QUEUE' },
    })
  })

  test('refuses a job that is being submitted', async () => {
    const gateway = await openTestApp()
    const sent = new AbortController()
    gateway.upstream.planSubmits({ kind: 'acceptAfter', until: () => once(sent.signal, 'abort') })
    const creating = create(gateway, input(1))
    await until(() => gateway.upstream.submits === 1)
    const { data } = await gateway.graphql('{ swapJobs { nodes { id } } }')
    expect((await cancel(gateway, data.swapJobs.nodes[0].id)).code).toBe('WRONG_STATE')
    sent.abort()
    expect((await creating).job.status).toBe('ON_QUEUE')
  })

  test('returns SwapNotFoundError for a job that does not exist', async () => {
    const gateway = await openTestApp()
    expect(await cancel(gateway, 'job_none')).toEqual({ __typename: 'SwapNotFoundError', ids: ['job_none'] })
  })
})
