import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { CreateSwapDocument } from '../support/generated.ts'
import { createFastClock } from '../support/fast-clock.ts'
import { openTestApp, type TestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const INPUT = { targetImage: { url: 'https://example.com/t.jpg' }, swapImage: { url: 'https://example.com/f.jpg' } }

const create = async ({ graphql }: TestApp, clientReference: string) => {
  const { data } = await graphql(CreateSwapDocument.toString(), { input: { ...INPUT, clientReference } })
  return data.createSwap
}

test('at most MAX_IN_FLIGHT jobs are at the upstream; the others wait and are submitted oldest first', async () => {
  const gateway = await openTestApp({ settings: { MAX_IN_FLIGHT: '2' } })
  const made = []
  for (let n = 0; n < 5; n += 1) made.push(await create(gateway, `n${n}`))
  expect(made.map(({ job }) => job.status)).toEqual(['ON_QUEUE', 'ON_QUEUE', 'PENDING', 'PENDING', 'PENDING'])
  for (let done = 0; done < 3; done += 1) {
    expect(gateway.upstream.accepted).toHaveLength(2 + done)
    const job = gateway.upstream.accepted[done]
    if (!job) throw new Error('no job')
    job.state = { status: 'SUCCESS' }
    await gateway.upstream.sendHook(job)
    await until(() => gateway.upstream.accepted.length === 3 + done)
  }
  const order = await Promise.all(
    gateway.upstream.accepted.map(async ({ id }) => {
      const { data } = await gateway.graphql(`{ swapJob(id: "${id}") { clientReference } }`)
      return data.swapJob?.clientReference
    }),
  )
  expect(order.slice(0, 4)).toEqual(['n0', 'n1', 'n2', 'n3'])
})

test('a burst of new swaps submits at most MAX_IN_FLIGHT', async () => {
  const gateway = await openTestApp({ settings: { MAX_IN_FLIGHT: '3' } })
  const made = await Promise.all(Array.from({ length: 40 }, (_unused, n) => create(gateway, `n${n}`)))
  expect(made.filter(({ job }) => job.status === 'ON_QUEUE')).toHaveLength(3)
  expect(gateway.upstream.accepted).toHaveLength(3)
})

test('swaps wait while the upstream is down, and are submitted once it is back', async () => {
  const gateway = await openTestApp({ clock: createFastClock(20), settings: { MAX_IN_FLIGHT: '50' } })
  const down = { kind: 'answer', status: 503, body: '<html>' } as const
  gateway.upstream.planSubmits(...Array.from({ length: 5 }, () => down))
  for (let n = 0; n < 5; n += 1) expect((await create(gateway, `lost${n}`)).job.status).toBe('UNCONFIRMED')
  // Five consecutive lost responses open the circuit breaker: the next swaps are not sent.
  const waiting = [await create(gateway, 'w1'), await create(gateway, 'w2')]
  expect(waiting.map(({ job }) => job.status)).toEqual(['PENDING', 'PENDING'])
  await until(() => gateway.upstream.accepted.length === 2)
  expect(gateway.upstream.submits).toBe(7)
})

test('the fetches of all jobs together stay within FETCH_PER_SECOND', async () => {
  const gateway = await openTestApp({ settings: { MAX_IN_FLIGHT: '30', FETCH_PER_SECOND: '5' } })
  const made = await Promise.all(Array.from({ length: 20 }, (_unused, n) => create(gateway, `n${n}`)))
  const fields = made.map(({ job }, n) => `a${n}: swapJob(id: "${job.id}") { status }`).join(' ')
  const { data } = await gateway.graphql(`{ ${fields} }`)
  expect(Object.keys(data)).toHaveLength(20)
  expect(gateway.upstream.accepted.reduce((sum, { fetches }) => sum + fetches, 0)).toBeLessThanOrEqual(6)
})

const digest = (key: string) => createHash('sha256').update(key).digest('hex')
const asTenant = (key: string) => ({ authorization: `Bearer ${key}` })
const BATCH =
  'mutation ($items: [CreateSwapInput!]!) { createSwapBatch(input: { items: $items }) { ... on CreateSwapBatchSuccess { items { kind: __typename } } } }'

/** @returns how many of a hundred swaps were recorded. */
async function createHundred({ graphql }: TestApp, headers: Record<string, string>): Promise<number> {
  const items = Array.from({ length: 100 }, () => INPUT)
  const { data, errors } = await graphql(BATCH, { items }, headers)
  expect(errors).toBeUndefined()
  const kinds = data.createSwapBatch.items.map((item: { kind: string }) => item.kind)
  return kinds.filter((kind: string) => kind === 'CreateSwapSuccess').length
}

test('a swap of another tenant is submitted next, however many swaps one tenant has queued before', async () => {
  const settings = { MAX_IN_FLIGHT: '2', API_KEYS: `many:${digest('key-of-many')},few:${digest('key-of-few')}` }
  const gateway = await openTestApp({ settings })
  expect(await createHundred(gateway, asTenant('key-of-many'))).toBe(100)
  const input = { ...INPUT, targetImage: { url: 'https://example.com/of-few.jpg' } }
  await gateway.graphql(CreateSwapDocument.toString(), { input }, asTenant('key-of-few'))
  const [first] = gateway.upstream.accepted
  if (!first) throw new Error('nothing was sent')
  first.state = { status: 'SUCCESS' }
  await gateway.upstream.sendHook(first)
  const next = await until(() => gateway.upstream.accepted[2])
  expect(next.targetImage).toBe('https://example.com/of-few.jpg')
})

test('one of several tenants may have half of the waiting jobs, and the only tenant all of them', async () => {
  const settings = { MAX_IN_FLIGHT: '1' }
  const several = await openTestApp({
    settings: { ...settings, API_KEYS: `a:${digest('key-of-a')},b:${digest('key-of-b')}` },
  })
  for (let n = 0; n < 5; n += 1) await createHundred(several, asTenant('key-of-a'))
  // One job is at the upstream.
  expect(await createHundred(several, asTenant('key-of-a'))).toBe(1)
  expect(await createHundred(several, asTenant('key-of-b'))).toBe(100)
  const only = await openTestApp({ settings: { ...settings, API_KEYS: `a:${digest('key-of-a')}` } })
  for (let n = 0; n < 6; n += 1) expect(await createHundred(only, asTenant('key-of-a'))).toBe(100)
})
