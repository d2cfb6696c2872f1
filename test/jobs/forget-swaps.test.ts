/** A forgotten job stores nothing that its caller chose; its idempotency key still creates no second job. */
import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { createFastClock } from '../support/fast-clock.ts'
import { openScriptedHost } from '../support/scripted-host.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { makeDataDir, openRawDatabaseOf, openTestApp, type TestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const INPUT = { targetImage: { url: 'https://example.com/t.jpg' }, swapImage: { url: 'https://example.com/f.jpg' } }
const CREATE = `mutation ($input: CreateSwapInput!) { createSwap(input: $input) {
  __typename ... on CreateSwapSuccess { job { id status } } ... on SwapIdempotencyConflictError { job { id } } } }`
const FORGET = 'mutation ($id: ID!) { forgetSwaps(input: { ids: [$id] }) { __typename } }'
const REPLAY = 'mutation ($id: ID!) { replaySwapHook(input: { id: $id }) { __typename } }'
const SECRET = 'a secret of the gateway'

/** Opens a webhook receiver whose responses the test releases. */
async function openReceiver() {
  const held: ServerResponse[] = []
  const host = await openScriptedHost((_request, response) => {
    held.push(response)
  })
  closeAfterTest(() => host.close())
  return { ...host, held, requests: host.requests }
}

async function openWith(hosts: string, dataDir: string, settings: Record<string, string> = {}) {
  return openTestApp({
    dataDir,
    clock: createFastClock(10),
    settings: { GATEWAY_SECRET: SECRET, ALLOWED_PRIVATE_HOSTS: hosts, ...settings },
  })
}

async function end({ upstream, graphql }: TestApp, id: string) {
  const job = upstream.accepted.at(-1)
  if (!job) throw new Error('the upstream took no job')
  job.state = { status: 'SUCCESS' }
  await upstream.sendHook(job)
  await until(
    async () => (await graphql('query ($id: ID!) { swapJob(id: $id) { done } }', { id })).data.swapJob.done === true,
  )
}

const create = async ({ graphql }: TestApp, over: object) =>
  (await graphql(CREATE, { input: { ...INPUT, ...over } })).data.createSwap

/** Opens a gateway with a finished job whose webhook is being delivered. */
async function openWithDelivery() {
  const receiver = await openReceiver()
  const dataDir = await makeDataDir()
  const gateway = await openWith(receiver.host, dataDir)
  const database = await openRawDatabaseOf(dataDir)
  const { job } = await create(gateway, { hookUrl: `${receiver.url}/webhooks` })
  await end(gateway, job.id)
  await until(() => receiver.held.length === 1)
  const countAttempts = async () => (await database.query('select * from webhook_attempts')).length
  return { receiver, gateway, database, id: String(job.id), countAttempts }
}

test.each([204, 500])(
  'an attempt in progress when its job is forgotten is not retried (response %i)',
  async (status) => {
    const { receiver, gateway, database, id, countAttempts } = await openWithDelivery()
    expect((await gateway.graphql(FORGET, { id })).data.forgetSwaps).toEqual({ __typename: 'ForgetSwapsSuccess' })
    receiver.held[0]?.writeHead(status).end()
    await until(async () => (await countAttempts()) === 1)
    expect(await database.query('select state, url, host, body, next_at from webhooks')).toEqual([
      { state: 'EXHAUSTED', url: '', host: '', body: '', next_at: null },
    ])
    expect((await gateway.graphql(REPLAY, { id })).data.replaySwapHook).toEqual({ __typename: 'SwapStateError' })
    expect(receiver.requests).toHaveLength(1)
  },
)

test('a webhook that is replayed during an attempt keeps the later outcome', async () => {
  const { receiver, gateway, database, id, countAttempts } = await openWithDelivery()
  expect((await gateway.graphql(REPLAY, { id })).data.replaySwapHook).toEqual({ __typename: 'ReplaySwapHookSuccess' })
  await until(() => receiver.held.length === 2)
  receiver.held[1]?.writeHead(204).end()
  await until(async () => (await countAttempts()) === 1)
  receiver.held[0]?.writeHead(500).end()
  await until(async () => (await countAttempts()) === 2)
  expect(await database.query('select state, next_at from webhooks')).toEqual([{ state: 'DELIVERED', next_at: null }])
})

test('the key of a forgotten job returns it for the same input only, and nothing that its caller chose is stored', async () => {
  const dataDir = await makeDataDir()
  const own = {
    idempotencyKey: 'key-of-ann',
    clientReference: 'reference-of-ann',
    tags: ['tag-of-ann'],
    hookUrl: 'https://127.0.0.9:4444/hook-of-ann',
    targetImage: { url: 'https://example.com/ann.jpg' },
  }
  const first = await openWith('127.0.0.9:4444', dataDir)
  const { job } = await create(first, own)
  await end(first, job.id)
  expect((await first.graphql(FORGET, { id: job.id })).data.forgetSwaps).toEqual({ __typename: 'ForgetSwapsSuccess' })

  const expectSame = async (gateway: TestApp) => {
    const same = { __typename: 'CreateSwapSuccess', job: { id: job.id, status: 'SUCCESS' } }
    expect(await create(gateway, own)).toEqual(same)
    for (const over of [
      { hookUrl: null },
      { hookUrl: 'https://127.0.0.9:4444/other' },
      { tags: [] },
      { keepDays: 1 },
    ]) {
      expect(await create(gateway, { ...own, ...over })).toEqual({
        __typename: 'SwapIdempotencyConflictError',
        job: { id: job.id },
      })
    }
    expect(gateway.upstream.submits).toBe(gateway === first ? 1 : 0)
  }
  await expectSame(first)
  const database = await openRawDatabaseOf(dataDir)
  for (const table of ['jobs', 'job_tags', 'idempotency_keys', 'webhooks', 'webhook_attempts']) {
    expect(JSON.stringify(await database.query(`select * from ${table}`)), table).not.toMatch(/of-ann|ann\.jpg/)
  }

  // A rotation puts the new secret before the old one.
  await first.app.close()
  await expectSame(await openWith('127.0.0.9:4444', dataDir, { GATEWAY_SECRET: `a newer secret of ours,${SECRET}` }))
})
