/** One client of each kind, so that the gateway has series of each metric. */
import { expect } from 'vitest'
import { makeImage } from '../support/images.ts'
import { connectWire } from '../support/live-stage.ts'
import { subscribeSse, type TestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const CREATE_BATCH = `mutation ($items: [CreateSwapInput!]!) { createSwapBatch(input: { items: $items }) {
  ... on CreateSwapBatchSuccess { items {
    __typename ... on CreateSwapSuccess { job { id } } ... on SwapUpstreamError { job { id } } } } } }`
const BATCH = 100

let images = 0

/** Creates swaps in batches. @returns the ids of the jobs. */
export async function createSwaps({ graphql }: TestApp, count: number, input: object = {}): Promise<readonly string[]> {
  const ids: string[] = []
  while (ids.length < count) {
    const items = Array.from({ length: Math.min(BATCH, count - ids.length) }, () => ({
      targetImage: { url: `https://example.com/${(images += 1)}.jpg` },
      swapImage: { url: 'https://example.com/face.jpg' },
      ...input,
    }))
    // oxlint-disable-next-line no-await-in-loop
    const { data } = await graphql(CREATE_BATCH, { items })
    const created = data.createSwapBatch.items.map((item: { job?: { id: string } }) => item.job?.id)
    expect(created).not.toContain(undefined)
    ids.push(...created)
  }
  return ids
}

/** Resolves when all of these jobs are done. */
export async function untilDone({ graphql }: TestApp, ids: readonly string[]): Promise<void> {
  const query = 'query ($ids: [ID!]!) { nodes(ids: $ids) { ... on SwapJob { done } } }'
  await until(async () => {
    const { data } = await graphql(query, { ids })
    return data.nodes.every(({ done }: { done: boolean }) => done)
  })
}

async function watchOverSse({ app }: TestApp): Promise<void> {
  const leaving = new AbortController()
  const events = subscribeSse(app.url, 'subscription { swapJobsUpdated { kind } }', {}, leaving.signal)
  await events.next()
  leaving.abort()
}

/** Stays connected until the end of the test. */
async function watchOverWebSocket({ app }: TestApp): Promise<void> {
  const client = connectWire(app.url)
  await client.init()
  client.subscribe('1', 'subscription { swapJobsUpdated { kind } }')
  await until(() => client.messages.some(({ type }) => type === 'next'))
}

async function upload({ graphql }: TestApp): Promise<void> {
  const bytes = await makeImage()
  const { data } = await graphql(
    `mutation { createSwapUpload(input: { contentType: IMAGE_JPEG, byteLength: ${bytes.byteLength} }) {
      ... on CreateSwapUploadSuccess { put { url } } } }`,
  )
  const { url } = data.createSwapUpload.put
  const headers = { 'content-type': 'image/jpeg' }
  expect((await fetch(url, { method: 'PUT', headers, body: new Uint8Array(bytes) })).status).toBe(200)
}

/** Swaps of each outcome, reads of each path, both transports of subscriptions, an upload, a webhook and wrong requests. */
export async function runMixedLoad(app: TestApp): Promise<void> {
  const { graphql, upstream } = app
  const url = `${upstream.url}/results/1.png`
  upstream.scriptJobs((_submit, n) => ({
    states: [
      { afterMs: 50, state: n % 4 === 0 ? { status: 'FAILED' } : { status: 'SUCCESS', links: { cdnImage: url } } },
    ],
    hooks: { copies: 1, untilDelivered: true },
  }))
  const ids = await createSwaps(app, 8, { hookUrl: `${upstream.url}/webhooks` })
  await untilDone(app, ids)
  await until(() => upstream.webhooks.length >= ids.length)
  for (let n = 0; n < 3; n += 1) {
    // The second reads the document's cache, the third the response's.
    // oxlint-disable-next-line no-await-in-loop
    await graphql('query ($id: ID!) { swapJob(id: $id) { id status } }', { id: ids[1] })
  }
  await graphql('{ swapJobs { nodes { id } } }')
  await graphql('{ noSuchField }')
  await graphql('{ __typename @include(if: true) }')
  await Promise.all([watchOverSse(app), watchOverWebSocket(app), upload(app)])
  for (const path of ['/', '/schema.graphql', '/healthz', '/hooks/swapface/none', '/nothing']) {
    // oxlint-disable-next-line no-await-in-loop
    await fetch(`${app.app.url}${path}`, { method: path.startsWith('/hooks') ? 'POST' : 'GET' })
  }
}
