/** A tenant's limits per minute, per day and at one time; nothing beyond them is sent upstream. */
import { describe, expect, test } from 'vitest'
import { FAKE_KEY, openFakeUpstream } from '../support/fake-upstream.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { makeDataDir, openTestApp, subscribeSse, type TestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const INPUT = { targetImage: { url: 'https://example.com/t.jpg' }, swapImage: { url: 'https://example.com/f.jpg' } }
const CREATE = `mutation ($input: CreateSwapInput!) { createSwap(input: $input) {
  __typename
  ... on CreateSwapSuccess { job { id status } }
  ... on SwapError { code message retryable retryAfterMs }
  ... on SwapRateLimitedError { limit limitedUntil: resetAt }
  ... on SwapQuotaExceededError { remaining resetAt }
  ... on SwapBusyError { maxInFlight }
} }`

const create = async (gateway: TestApp, input: object = INPUT) =>
  (await gateway.graphql(CREATE, { input })).data.createSwap

describe('the requests per minute of a tenant', () => {
  test('once used up, fail a query with 429 and Retry-After and a mutation with SwapRateLimitedError, and nothing is submitted', async () => {
    const gateway = await openTestApp({ settings: { TENANT_REQUESTS_PER_MINUTE: '3' } })
    const ask = async () =>
      fetch(`${gateway.app.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"query":"{ __typename }"}',
      })
    const answers = [await ask(), await ask(), await ask(), await ask()]
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429])
    expect(answers.map(({ headers }) => headers.get('ratelimit')?.replace(/;t=\d+/, ''))).toEqual([
      '"tenant";r=2',
      '"tenant";r=1',
      '"tenant";r=0',
      '"tenant";r=0',
    ])
    expect(answers[0]?.headers.get('ratelimit-policy')).toBe('"tenant";q=3;w=60')
    expect(Number(answers[3]?.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(answers[2]?.headers.get('retry-after')).toBeNull()
    expect(await answers[3]?.json()).toMatchObject({ errors: [{ extensions: { code: 'RATE_LIMITED' } }] })

    expect(await create(gateway)).toMatchObject({
      __typename: 'SwapRateLimitedError',
      code: 'RATE_LIMITED',
      limit: 3,
      limitedUntil: expect.any(String),
      retryable: true,
      retryAfterMs: expect.any(Number),
    })
    expect(gateway.upstream.submits).toBe(0)
  })

  test('include requests for streams', async () => {
    const gateway = await openTestApp({ settings: { TENANT_REQUESTS_PER_MINUTE: '1' } })
    const events: object[] = []
    const ask = async () => {
      for await (const event of subscribeSse(gateway.app.url, '{ __typename }', {})) events.push(event)
    }
    await ask()
    await ask()
    expect(events[0]).toEqual({ data: { __typename: 'Query' } })
    expect(events[1]).toMatchObject({ errors: [{ extensions: { code: 'RATE_LIMITED' } }] })
  })
})

describe('the units per day of a tenant', () => {
  test('reserve 3 for a swap until its charge is known, and release them if it costs nothing', async () => {
    const gateway = await openTestApp({ settings: { TENANT_QUOTA_PER_DAY: '7' } })
    const [first, second, third] = [await create(gateway), await create(gateway), await create(gateway)]
    expect([first, second].map(({ __typename }) => __typename)).toEqual(['CreateSwapSuccess', 'CreateSwapSuccess'])
    expect(third).toMatchObject({ __typename: 'SwapQuotaExceededError', code: 'QUOTA_EXCEEDED', remaining: 1 })
    expect(new Date(third.resetAt).getUTCHours()).toBe(0)
    expect(gateway.upstream.submits).toBe(2)

    const [accepted] = gateway.upstream.accepted
    if (!accepted) throw new Error('nothing was sent')
    accepted.state = { status: 'FAILED', message: 'no face' }
    await gateway.upstream.sendHook(accepted)
    await until(async () => 'job' in (await create(gateway)))
    expect(await create(gateway)).toMatchObject({ remaining: 1 })
  })

  test('admit no more swaps than they cover when many are created at once', async () => {
    const gateway = await openTestApp({ settings: { TENANT_QUOTA_PER_DAY: '10', MAX_IN_FLIGHT: '50' } })
    const answers = await Promise.all(Array.from({ length: 20 }, async () => create(gateway)))
    expect(answers.filter((answer) => 'job' in answer)).toHaveLength(3)
    expect(gateway.upstream.submits).toBe(3)
  })

  test('still allow, once used up, the repetition of an idempotency key', async () => {
    const gateway = await openTestApp({ settings: { TENANT_QUOTA_PER_DAY: '3' } })
    const input = { ...INPUT, idempotencyKey: 'k' }
    const [first, again] = [await create(gateway, input), await create(gateway, input)]
    expect(again.job.id).toBe(first.job.id)
  })

  test('are counted the same after a crash as before', async () => {
    const dataDir = await makeDataDir()
    const settings = { TENANT_QUOTA_PER_DAY: '5' }
    const upstream = await openFakeUpstream(FAKE_KEY)
    closeAfterTest(() => upstream.close())
    const before = await openTestApp({ dataDir, settings, upstream })
    await create(before)
    await before.app.close()
    const after = await openTestApp({ dataDir, settings, upstream })
    expect(await create(after)).toMatchObject({ __typename: 'SwapQuotaExceededError', remaining: 2 })
  })
})

test('a tenant has at most TENANT_MAX_IN_FLIGHT unfinished swaps', async () => {
  const gateway = await openTestApp({ settings: { TENANT_MAX_IN_FLIGHT: '2' } })
  await create(gateway)
  await create(gateway)
  expect(await create(gateway)).toMatchObject({ __typename: 'SwapBusyError', code: 'BUSY', maxInFlight: 2 })
  expect(gateway.upstream.submits).toBe(2)
})

test('content refusals stop the swaps of a tenant long before the upstream blocks the account', async () => {
  const gateway = await openTestApp({ settings: { MAX_IN_FLIGHT: '2' } })
  const refusal = {
    kind: 'answer',
    status: 400,
    body: '{"status":"FAILED","message":"NSFW content","data":null}',
  } as const
  gateway.upstream.planSubmits(...Array.from({ length: 30 }, () => refusal))
  const answers = []
  for (let n = 0; n < 10; n += 1) answers.push(await create(gateway))
  expect(answers.map(({ __typename }) => __typename)).toEqual([
    ...Array.from({ length: 5 }, () => 'SwapUpstreamError'),
    ...Array.from({ length: 5 }, () => 'SwapQuotaExceededError'),
  ])
  expect(answers[9]).toMatchObject({ remaining: 0, retryable: true })
  expect(gateway.upstream.submits).toBe(5)
})
