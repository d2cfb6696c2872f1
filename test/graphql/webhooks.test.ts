/** Webhooks: delivered at least once per finished job, signed, and without delay by other receivers. */
import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'
import { MAX_AT_ONE_RECEIVER } from '../../src/jobs/lifecycle/deliver-webhooks.ts'
import { toWebhookSecrets } from '../../src/webhooks/secrets.ts'
import { createFastClock } from '../support/fast-clock.ts'
import { createStepClock } from '../support/step-clock.ts'
import { openScriptedHost, type SeenRequest } from '../support/scripted-host.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { makeDataDir, openTestApp, type TestApp, type TestAppOptions } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const INPUT = { targetImage: { url: 'https://example.com/t.jpg' }, swapImage: { url: 'https://example.com/f.jpg' } }
const CREATE = `mutation ($input: CreateSwapInput!) { createSwap(input: $input) {
  ... on CreateSwapSuccess { job { id } } ... on SwapInvalidInputError { issues { path code } } } }`
const HOOK = 'query ($id: ID!) { swapJob(id: $id) { hook { url state attempts { at httpStatus error } } } }'
const REPLAY = `mutation ($id: ID!) { replaySwapHook(input: { id: $id }) { __typename
  ... on ReplaySwapHookSuccess { job { id } } ... on SwapStateError { code } ... on SwapNotFoundError { ids } } }`
const SECRET = 'a secret of the gateway'

/** Opens a webhook receiver with scripted responses; the default is 204. */
async function openReceiver(
  answer: (n: number) => { status: number; headers?: Record<string, string> } | null = () => ({ status: 204 }),
) {
  let n = 0
  const host = await openScriptedHost((_request, response) => {
    const how = answer((n += 1))
    if (how) response.writeHead(how.status, how.headers).end()
  })
  closeAfterTest(() => host.close())
  return host
}

async function openWith(hosts: readonly { host: string }[], options: TestAppOptions = {}): Promise<TestApp> {
  return openTestApp({
    ...options,
    settings: {
      GATEWAY_SECRET: SECRET,
      ALLOWED_PRIVATE_HOSTS: hosts.map(({ host }) => host).join(),
      MAX_IN_FLIGHT: '1000',
      FETCH_PER_SECOND: '1000',
      ...options.settings,
    },
  })
}

const create = async (gateway: TestApp, hookUrl: string, over: object = {}) =>
  (await gateway.graphql(CREATE, { input: { ...INPUT, hookUrl, ...over } })).data.createSwap
const hookOf = async (gateway: TestApp, id: string) => (await gateway.graphql(HOOK, { id })).data.swapJob.hook

async function end(gateway: TestApp, n = -1) {
  const accepted = gateway.upstream.accepted.at(n)
  if (!accepted) throw new Error('nothing was sent')
  accepted.state = { status: 'SUCCESS' }
  await gateway.upstream.sendHook(accepted)
}

function verify({ body, headers }: SeenRequest, secret = SECRET): unknown {
  const [own = ''] = toWebhookSecrets([secret], 'local')
  return new Webhook(own).verify(body, headers as Record<string, string>)
}

test('the webhook of a finished job is delivered, and its signature verifies with the reference library', async () => {
  const receiver = await openReceiver()
  const gateway = await openWith([receiver])
  const { job } = await create(gateway, `${receiver.url}/webhooks?a=1`, { clientReference: 'r', tags: ['t'] })
  expect(await hookOf(gateway, job.id)).toEqual({ url: `${receiver.url}/webhooks?a=1`, state: 'WAITING', attempts: [] })
  await end(gateway)
  const request = await until(() => receiver.requests[0])
  expect(request).toMatchObject({ method: 'POST', path: '/webhooks?a=1' })
  expect(verify(request)).toEqual({
    type: 'swap.finished',
    timestamp: expect.stringMatching(/Z$/),
    data: {
      id: job.id,
      status: 'SUCCESS',
      version: 3,
      clientReference: 'r',
      tags: ['t'],
      failure: null,
      charge: { state: 'CHARGED', quota: 3 },
    },
  })
  expect(() => verify({ ...request, body: request.body.replace('SUCCESS', 'FAILED!') })).toThrow(
    'No matching signature',
  )
  await until(async () => (await hookOf(gateway, job.id)).state === 'DELIVERED')
  expect((await hookOf(gateway, job.id)).attempts).toEqual([{ at: expect.any(String), httpStatus: 204, error: null }])
})

test('the webhook of a job that ends without a result is delivered as well', async () => {
  const receiver = await openReceiver()
  const gateway = await openWith([receiver], { settings: { MAX_IN_FLIGHT: '1' } })
  await create(gateway, receiver.url)
  const { job } = await create(gateway, receiver.url)
  await gateway.graphql('mutation ($id: ID!) { cancelSwap(input: { id: $id }) { __typename } }', { id: job.id })
  const request = await until(() => receiver.requests[0])
  expect(verify(request)).toMatchObject({ data: { id: job.id, status: 'CANCELED', charge: { state: 'NOT_CHARGED' } } })
})

test('a webhook that is not acknowledged is retried on the schedule with the same id and bytes', async () => {
  const receiver = await openReceiver((n) => ({ status: n < 3 ? 500 : 200 }))
  const other = await openReceiver()
  const clock = createStepClock()
  const gateway = await openWith([receiver, other], { clock })
  const { job } = await create(gateway, receiver.url)
  await end(gateway)
  const attempted = async (count: number) =>
    until(async () => {
      const { attempts } = await hookOf(gateway, job.id)
      return attempts.length === count && attempts
    })
  /** Once a webhook to another receiver is delivered, all due webhooks have been claimed. */
  const nothingIsDue = async (count: number) => {
    const received = other.requests.length
    await create(gateway, other.url)
    await end(gateway)
    await until(() => other.requests.length > received)
    expect(receiver.requests).toHaveLength(count)
  }

  await attempted(1)
  clock.step(3_000)
  await nothingIsDue(1)
  clock.step(4_000)
  await attempted(2)
  clock.step(200_000)
  await nothingIsDue(2)
  clock.step(200_000)
  const attempts = await attempted(3)
  expect(attempts.map(({ httpStatus }: { httpStatus: number }) => httpStatus)).toEqual([500, 500, 200])
  const [first, ...others] = receiver.requests
  for (const request of others) {
    expect(request.body).toBe(first?.body)
    expect(request.headers['webhook-id']).toBe(first?.headers['webhook-id'])
  }
  expect((await hookOf(gateway, job.id)).state).toBe('DELIVERED')
})

test.each<[string, { status: number; headers?: Record<string, string> }, string]>([
  ['a 410 ends a webhook', { status: 410 }, 'EXHAUSTED'],
  [
    'a redirect of a webhook is not followed, and counts as a failure',
    { status: 307, headers: { location: 'http://127.0.0.1:1/' } },
    'RETRYING',
  ],
])('%s', async (_what, answer, state) => {
  const receiver = await openReceiver(() => answer)
  const gateway = await openWith([receiver])
  const { job } = await create(gateway, receiver.url)
  await end(gateway)
  await until(async () => (await hookOf(gateway, job.id)).state === state)
  expect(receiver.requests).toHaveLength(1)
})

test('a webhook after its last attempt is exhausted, and can be replayed with the same id', async () => {
  let status = 503
  const receiver = await openReceiver(() => ({ status }))
  const gateway = await openWith([receiver], { clock: createFastClock(50_000) })
  const { job } = await create(gateway, receiver.url)
  await end(gateway)
  await until(async () => (await hookOf(gateway, job.id)).state === 'EXHAUSTED')
  // There are more attempts if one took longer than its claim on this fast clock.
  expect((await hookOf(gateway, job.id)).attempts.length).toBeGreaterThanOrEqual(8)
  expect(gateway.events.some(({ name, args }) => name === 'webhookAttempted' && args.includes('EXHAUSTED'))).toBe(true)

  status = 200
  const { data } = await gateway.graphql(REPLAY, { id: job.id })
  expect(data.replaySwapHook).toEqual({ __typename: 'ReplaySwapHookSuccess', job: { id: job.id } })
  await until(async () => (await hookOf(gateway, job.id)).state === 'DELIVERED')
  expect(new Set(receiver.requests.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
})

test('a webhook of an unfinished or unknown job cannot be replayed', async () => {
  const receiver = await openReceiver()
  const gateway = await openWith([receiver])
  const open = await create(gateway, receiver.url)
  expect((await gateway.graphql(REPLAY, { id: open.job.id })).data.replaySwapHook.code).toBe('WRONG_STATE')
  expect((await gateway.graphql(REPLAY, { id: 'job_none' })).data.replaySwapHook.ids).toEqual(['job_none'])
})

test('a webhook has both signatures while the secret is rotated', async () => {
  const receiver = await openReceiver()
  const newSecret = 'the next secret of the gateway'
  const gateway = await openWith([receiver], { settings: { GATEWAY_SECRET: `${newSecret},${SECRET}` } })
  await create(gateway, receiver.url)
  await end(gateway)
  const request = await until(() => receiver.requests[0])
  expect([verify(request, newSecret), verify(request, SECRET)]).toEqual([expect.any(Object), expect.any(Object)])
})

test.each(['http://127.0.0.1:1/', 'http://169.254.169.254/', 'http://localhost/', 'ftp://example.com/', 'nonsense'])(
  'a hook at %s is refused before anything is sent',
  async (hookUrl) => {
    const gateway = await openTestApp()
    const { issues } = await create(gateway, hookUrl)
    expect(issues[0].path).toEqual(['input', 'hookUrl'])
    expect(gateway.upstream.submits).toBe(0)
  },
)

describe('a receiver', () => {
  test('that never responds does not delay the webhooks of other receivers', async () => {
    const [dead, alive] = [await openReceiver(() => null), await openReceiver()]
    const gateway = await openWith([dead, alive])
    for (let n = 0; n < 150; n += 1) await create(gateway, n < 100 ? dead.url : alive.url)
    await Promise.all(gateway.upstream.accepted.map(async (_job, n) => end(gateway, n)))
    await until(() => alive.requests.length === 50)
    expect(dead.requests.length).toBeLessThanOrEqual(MAX_AT_ONE_RECEIVER)
  })

  test('gets the webhook of a job even if the process died before it sent it', async () => {
    const receiver = await openReceiver((n) => (n === 1 ? null : { status: 200 }))
    const [dataDir, clock] = [await makeDataDir(), createFastClock(10)]
    const before = await openWith([receiver], { dataDir, clock })
    const { job } = await create(before, receiver.url)
    await end(before)
    await until(() => receiver.requests.length === 1)
    await before.app.close()
    const after = await openWith([receiver], { dataDir, clock, upstream: before.upstream })
    await until(() => receiver.requests.length === 2)
    expect(receiver.requests[1]?.body).toBe(receiver.requests[0]?.body)
    await until(async () => (await hookOf(after, job.id)).state === 'DELIVERED')
    expect(receiver.requests[1]?.headers['webhook-id']).toBe(receiver.requests[0]?.headers['webhook-id'])
  })
})
