/** Callers learn what a queued swap waits for, and administrators why the upstream refused one. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { createFastClock } from '../support/fast-clock.ts'
import { makeDataDir, openRawDatabaseOf, openTestApp, type TestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const IMAGES = 'targetImage: { url: "https://example.com/t.jpg" }, swapImage: { url: "https://example.com/f.jpg" }'
const CREATE = `mutation { createSwap(input: { ${IMAGES} }) {
  ... on CreateSwapSuccess { job { id status } } ... on SwapUpstreamError { message job { id status } } } }`
const PROGRESS = `query ($id: ID!) { swapJob(id: $id) {
  status jobId submittedAt progress { waitingFor lastRefusal nextAttemptAt } timeline { status source } } }`
const FAILURE = 'query ($id: ID!) { swapJob(id: $id) { failure { code message upstreamMessage } } }'

const refusal = (status: number, message: string) =>
  ({ kind: 'answer', status, body: JSON.stringify({ status: 'FAILED', message, data: null }) }) as const

const read = async ({ graphql }: TestApp, query: string, id: string, headers = {}) =>
  (await graphql(query, { id }, headers)).data.swapJob

test('a swap that the upstream refuses for now is PENDING, says why and when it is submitted again, and was never sent', async () => {
  const gateway = await openTestApp({ settings: { MAX_IN_FLIGHT: '1' } })
  const body = JSON.stringify({ status: 'FAILED', message: 'slow down', data: null })
  gateway.upstream.planSubmits({ kind: 'answer', status: 429, body, headers: { 'retry-after': '600' } })
  const { job } = (await gateway.graphql(CREATE)).data.createSwap
  const shown = await read(gateway, PROGRESS, job.id)
  expect(shown).toEqual({
    status: 'PENDING',
    jobId: null,
    submittedAt: null,
    progress: {
      waitingFor: 'UPSTREAM_BUSY',
      lastRefusal: 'The upstream refused the swap for now: HTTP 429, too many requests.',
      nextAttemptAt: expect.any(String),
    },
    timeline: [{ status: 'PENDING', source: 'CALLER' }],
  })
  expect(Date.parse(shown.progress.nextAttemptAt) - Date.now()).toBeGreaterThan(500_000)
})

test('the second swap on a gateway with one slot waits for the slot, and says nothing of a wait once it is sent', async () => {
  const gateway = await openTestApp({ settings: { MAX_IN_FLIGHT: '1' } })
  await gateway.graphql(CREATE)
  const { job } = (await gateway.graphql(CREATE)).data.createSwap
  const nothing = { lastRefusal: null, nextAttemptAt: null }
  expect((await read(gateway, PROGRESS, job.id)).progress).toEqual({ waitingFor: 'SLOT', ...nothing })
  const [first] = gateway.upstream.accepted
  if (!first) throw new Error('no swap was submitted')
  first.state = { status: 'SUCCESS' }
  await gateway.upstream.sendHook(first)
  const sent = await until(async () => {
    const { status, progress } = await read(gateway, PROGRESS, job.id)
    return status === 'ON_QUEUE' && progress
  })
  expect(sent).toEqual({ waitingFor: null, lastRefusal: null, nextAttemptAt: expect.any(String) })
})

test('a swap that cannot be sent says that the upstream is down, and its timeline has no submit', async () => {
  const settings = { TTAPI_URL: 'http://127.0.0.1:1', SUBMIT_BEFORE_S: '90' }
  const gateway = await openTestApp({ clock: createFastClock(100), settings })
  const { job } = (await gateway.graphql(CREATE)).data.createSwap
  const shown = await until(async () => {
    const one = await read(gateway, PROGRESS, job.id)
    return one.progress?.waitingFor === 'UPSTREAM_DOWN' && one
  })
  expect(shown).toMatchObject({
    status: 'PENDING',
    submittedAt: null,
    progress: { lastRefusal: 'The upstream could not be reached.' },
    timeline: [{ status: 'PENDING', source: 'CALLER' }],
  })
  const ended = await until(async () => {
    const one = await read(gateway, `query ($id: ID!) { swapJob(id: $id) { status failure { code message } } }`, job.id)
    return one.status === 'FAILED' && one.failure
  })
  expect(ended).toEqual({
    code: 'NOT_SUBMITTED',
    message:
      'The swap could not be submitted before its deadline. The upstream could not be reached. Nothing was charged.',
  })
})

test('the timeline of a refused swap goes from PENDING to FAILED and names no acceptance by the upstream', async () => {
  const gateway = await openTestApp()
  gateway.upstream.planSubmits(refusal(400, 'no'))
  const { job } = (await gateway.graphql(CREATE)).data.createSwap
  expect(await read(gateway, PROGRESS, job.id)).toEqual({
    status: 'FAILED',
    jobId: null,
    submittedAt: null,
    progress: null,
    timeline: [
      { status: 'PENDING', source: 'CALLER' },
      { status: 'FAILED', source: 'SUBMIT' },
    ],
  })
})

test("only swap:admin reads the upstream's own words, in every order of requests, until the swap is forgotten", async () => {
  const dataDir = await makeDataDir()
  const entry = (key: string, scopes: string) => `acme:${createHash('sha256').update(key).digest('hex')}${scopes}`
  const gateway = await openTestApp({
    dataDir,
    settings: { API_KEYS: `${entry('a caller', '')},${entry('an admin', ':admin')}` },
  })
  const [caller, admin] = [{ 'x-api-key': 'a caller' }, { 'x-api-key': 'an admin' }]
  gateway.upstream.planSubmits(refusal(400, "'hookUrl' parameter error! see https://wiki.example/42"))
  const { job } = (await gateway.graphql(CREATE, {}, caller)).data.createSwap
  const own = "'hookUrl' parameter error! see …"
  // Three times: the first answer comes from the engine, the others from the fast path and its cache.
  for (let n = 0; n < 3; n += 1) {
    const [forAdmin, forCaller] = [
      await read(gateway, FAILURE, job.id, admin),
      await read(gateway, FAILURE, job.id, caller),
    ]
    const shown = { code: 'UPSTREAM_REFUSED', message: 'The upstream refused the swap.' }
    expect([forAdmin.failure, forCaller.failure]).toEqual([
      { ...shown, upstreamMessage: own },
      { ...shown, upstreamMessage: null },
    ])
  }
  const forget = 'mutation ($id: ID!) { forgetSwaps(input: { ids: [$id] }) { __typename } }'
  await gateway.graphql(forget, { id: job.id }, admin)
  expect((await read(gateway, FAILURE, job.id, admin)).failure).toMatchObject({ upstreamMessage: null })
  const database = await openRawDatabaseOf(dataDir)
  expect(await database.query('select upstream_message from jobs')).toEqual([{ upstream_message: null }])
})
