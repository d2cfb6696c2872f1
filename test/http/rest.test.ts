/** The REST API: a client of the upstream's reference only changes its base address. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { openScriptedHost } from '../support/scripted-host.ts'
import { hasPython, NOT_RUN } from '../support/python.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { openTestApp, type TestApp, type TestAppOptions } from '../support/test-app.ts'
import { sha256 } from '../../src/lib/crypto/sha256.ts'
import { until } from '../support/until.ts'

/** The addresses of the reference's samples. */
const SAMPLE = {
  targetImage: 'https://cdnb.ttapi.io/2024-04-23/tar_image.jpg',
  swapImage: 'https://cdnb.ttapi.io/2024-04-23/face_image.jpg',
}
const SAMPLE_HOOK = 'https://webhook-test.com/10ffa7e6d1e6886e746d19a5458d167d'
const KEY = 'the key of a'

const openWithRestApi = async ({ settings, ...options }: TestAppOptions = {}): Promise<TestApp> =>
  openTestApp({
    ...options,
    settings: {
      REST_API: 'on',
      API_KEYS: `a:${sha256(KEY)},b:${sha256('another')},reader:${sha256('reading')}:read`,
      ...settings,
    },
  })

async function call(gateway: TestApp, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${gateway.app.url}/insightFace/v1/${path}`, {
    ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
    headers: { 'content-type': 'application/json', 'TT-API-KEY': KEY, ...headers },
  })
  const answer: unknown = await response.json()
  // Untyped: each test knows the shape of its response.
  // oxlint-disable-next-line typescript/no-explicit-any
  return { status: response.status, body: answer as any, headers: response.headers }
}

async function submit(gateway: TestApp, over: object = {}): Promise<string> {
  const { status, body } = await call(gateway, 'swap', { ...SAMPLE, ...over })
  expect({ status, body }).toEqual({
    status: 200,
    body: { status: 'SUCCESS', message: '', data: { jobId: expect.stringMatching(/^job_/) } },
  })
  return body.data.jobId
}

async function end(gateway: TestApp, status: 'SUCCESS' | 'FAILED' = 'SUCCESS') {
  const accepted = gateway.upstream.accepted.at(-1)
  if (!accepted) throw new Error('nothing was sent')
  accepted.state = { status }
  await gateway.upstream.sendHook(accepted)
  return accepted
}

test('the REST API submits, fetches and reports a swap in the format of the reference', async () => {
  const receiver = await openScriptedHost((_request, response) => response.writeHead(200).end())
  closeAfterTest(() => receiver.close())
  const gateway = await openWithRestApi({ settings: { ALLOWED_PRIVATE_HOSTS: receiver.host } })
  const hookUrl = `${receiver.url}/done`
  const jobId = await submit(gateway, { hookUrl })
  const queued = { status: 'ON_QUEUE', message: null, jobId, data: null }
  expect((await call(gateway, 'fetch', { jobId })).body).toEqual(queued)
  expect((await call(gateway, `fetch?jobId=${jobId}`)).body).toEqual(queued)

  await end(gateway)
  const webhook = await until(() => receiver.requests[0])
  const document = JSON.parse(webhook.body)
  expect(document).toEqual({
    status: 'SUCCESS',
    message: null,
    jobId,
    data: {
      jobId,
      ...SAMPLE,
      discordImage: expect.stringMatching(/^https:/),
      cdnImage: expect.stringMatching(/^https:/),
      hookUrl,
      quota: 3,
    },
  })
  expect((await call(gateway, 'fetch', { jobId })).body).toEqual(document)
})

test('the REST API shows a failed and a lost job as FAILED', async () => {
  const gateway = await openWithRestApi()
  const jobId = await submit(gateway)
  const accepted = gateway.upstream.accepted.at(-1)
  if (accepted) accepted.state = { status: 'FAILED', message: 'no face' }
  const failed = await until(async () => {
    const { body } = await call(gateway, 'fetch', { jobId })
    return body.status === 'FAILED' && body
  })
  expect(failed).toEqual({ status: 'FAILED', message: expect.any(String), jobId, data: null })
})

test("the REST API returns the same for another tenant's job as for a missing one", async () => {
  const gateway = await openWithRestApi()
  const jobId = await submit(gateway)
  const foreign = await call(gateway, 'fetch', { jobId }, { 'TT-API-KEY': 'another' })
  const missing = await call(gateway, 'fetch', { jobId: jobId.replace(/.$/, 'z') }, { 'TT-API-KEY': 'another' })
  expect(foreign).toMatchObject({ status: 404, body: { status: 'FAILED', data: null } })
  expect(missing.body).toEqual(foreign.body)
})

test('the REST API submits once for one Idempotency-Key', async () => {
  const gateway = await openWithRestApi()
  const headers = { 'Idempotency-Key': 'k' }
  const [one, two] = await Promise.all([call(gateway, 'swap', SAMPLE, headers), call(gateway, 'swap', SAMPLE, headers)])
  expect(two.body).toEqual(one.body)
  expect(gateway.upstream.submits).toBe(1)
  expect(await call(gateway, 'swap', { ...SAMPLE, swapImage: 'https://example.com/x.jpg' }, headers)).toMatchObject({
    status: 409,
    body: { status: 'FAILED', data: null },
  })
})

test.each<[string, string, unknown, Record<string, string>, number, RegExp]>([
  ['no key', 'swap', SAMPLE, { 'TT-API-KEY': '' }, 401, /TT-API-KEY/],
  ['a wrong key', 'fetch', { jobId: 'x' }, { 'TT-API-KEY': 'wrong' }, 401, /TT-API-KEY/],
  ['a key that may only read', 'swap', SAMPLE, { 'TT-API-KEY': 'reading' }, 403, /swap:write/],
  ['no image', 'swap', { targetImage: SAMPLE.targetImage }, {}, 400, /^'swapImage' parameter error!/],
  ['a number for an image', 'swap', { ...SAMPLE, swapImage: 7 }, {}, 400, /^'swapImage' .*must be of type string/],
  ['an image address with a space', 'swap', { ...SAMPLE, swapImage: 'https://a.example/a b' }, {}, 400, /%20/],
  ['a number for a hook', 'swap', { ...SAMPLE, hookUrl: 7 }, {}, 400, /^'hookUrl' .*must be of type string/],
  ['a number for a jobId', 'fetch', { jobId: 7 }, {}, 400, /'jobId' parameter error! .*string/],
  ['an empty Idempotency-Key', 'swap', SAMPLE, { 'idempotency-key': '' }, 400, /idempotency key must not be empty/],
  ['a JSON text', 'fetch', 'job_x', {}, 400, /must be a JSON object/],
  ['an image on this machine', 'swap', { ...SAMPLE, targetImage: 'http://127.0.0.1/a.jpg' }, {}, 400, /'targetImage'/],
  ['a hook on this machine', 'swap', { ...SAMPLE, hookUrl: 'http://127.0.0.1/' }, {}, 400, /'hookUrl'/],
  ['no jobId', 'fetch', {}, {}, 400, /'jobId' parameter error!/],
  ['no such call', 'info', {}, {}, 404, /Nothing is served at/],
  ['not JSON by its type', 'swap', SAMPLE, { 'content-type': 'text/plain' }, 415, /application\/json/],
  ['too much', 'swap', { ...SAMPLE, more: 'x'.repeat(140_000) }, {}, 413, /larger than/],
  ['a list', 'swap', [SAMPLE], {}, 400, /must be a JSON object/],
  ['a compressed body', 'swap', SAMPLE, { 'content-encoding': 'gzip' }, 415, /Content-Encoding/],
])('%s is refused with a document of the reference, and nothing is sent', async (...row) => {
  const [, path, body, headers, status, message] = row
  const gateway = await openWithRestApi()
  const answer = await call(gateway, path, body, headers)
  expect(answer).toMatchObject({ status, body: { status: 'FAILED', message: expect.stringMatching(message) } })
  expect(gateway.upstream.submits).toBe(0)
})

test('the REST API reads a body with a byte order mark', async () => {
  const gateway = await openWithRestApi()
  const { status } = await fetch(`${gateway.app.url}/insightFace/v1/swap`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'TT-API-KEY': KEY, 'content-encoding': 'identity' },
    body: `\uFEFF${JSON.stringify(SAMPLE)}`,
  })
  expect(status).toBe(200)
})

test('the REST API refuses a key that is repeated with another hookUrl', async () => {
  const gateway = await openWithRestApi()
  const headers = { 'Idempotency-Key': 'k' }
  expect((await call(gateway, 'swap', { ...SAMPLE, hookUrl: SAMPLE_HOOK }, headers)).status).toBe(200)
  expect((await call(gateway, 'swap', { ...SAMPLE, hookUrl: `${SAMPLE_HOOK}/b` }, headers)).status).toBe(409)
  expect((await call(gateway, 'swap', SAMPLE, headers)).status).toBe(409)
  expect(gateway.upstream.submits).toBe(1)
})

test('the REST API shares keys with GraphQL, except if the hook would have the other format', async () => {
  const gateway = await openWithRestApi()
  const create = async (over: object) => {
    const input = { targetImage: { url: SAMPLE.targetImage }, swapImage: { url: SAMPLE.swapImage }, ...over }
    const query = 'mutation ($input: CreateSwapInput!) { createSwap(input: $input) { kind: __typename } }'
    return (await gateway.graphql(query, { input }, { 'x-api-key': KEY })).data.createSwap.kind
  }
  await call(gateway, 'swap', SAMPLE, { 'Idempotency-Key': 'without a hook' })
  expect(await create({ idempotencyKey: 'without a hook' })).toBe('CreateSwapSuccess')
  await call(gateway, 'swap', { ...SAMPLE, hookUrl: SAMPLE_HOOK }, { 'Idempotency-Key': 'with a hook' })
  expect(await create({ idempotencyKey: 'with a hook', hookUrl: SAMPLE_HOOK })).toBe('SwapIdempotencyConflictError')
  expect(gateway.upstream.submits).toBe(2)
})

test('the REST API applies the limits of the tenant', async () => {
  const gateway = await openWithRestApi({
    settings: { TENANT_REQUESTS_PER_MINUTE: '3', TENANT_MAX_IN_FLIGHT: '1', TENANT_QUOTA_PER_DAY: '100' },
  })
  await submit(gateway)
  const full = await call(gateway, 'swap', SAMPLE)
  expect([full.status, full.headers.get('retry-after')]).toEqual([499, '5'])
  await call(gateway, 'fetch', { jobId: 'x' })
  const spent = await call(gateway, 'swap', SAMPLE)
  expect(spent.status).toBe(429)
  expect(Number(spent.headers.get('retry-after'))).toBeGreaterThan(0)
  const poor = await openWithRestApi({ settings: { TENANT_QUOTA_PER_DAY: '1' } })
  expect((await call(poor, 'swap', SAMPLE)).status).toBe(402)
})

test('the REST API is disabled by default', async () => {
  const gateway = await openTestApp()
  expect((await call(gateway, 'swap', SAMPLE)).status).toBe(404)
  expect(gateway.upstream.submits).toBe(0)
})

const run = promisify(execFile)
const runSample = async (program: string, args: readonly string[]) => (await run(program, args)).stdout

test('the Node sample of the reference works', async () => {
  const gateway = await openWithRestApi()
  const sample = `
const axios = require('axios');

let config = {
  method: 'post',
  url: '${gateway.app.url}/insightFace/v1/swap',
  headers: { 
    'TT-API-KEY': '${KEY}'
  },
  data : ${JSON.stringify({ ...SAMPLE, hookUrl: SAMPLE_HOOK })}
};

axios(config).then(function (response) {
  console.log(JSON.stringify(response.status));
  return axios({ ...config, url: '${gateway.app.url}/insightFace/v1/fetch', data: { jobId: response.data.data.jobId } });
}).then(function (response) {
  console.log(JSON.stringify(response.data.status));
}).catch(function (error) {
  console.log(error);
});
`
  expect(await runSample(process.execPath, ['-e', sample])).toBe('200\n"ON_QUEUE"\n')
})

test.skipIf(!hasPython)(`the Python sample of the reference works${hasPython ? '' : NOT_RUN}`, async () => {
  const gateway = await openWithRestApi()
  const sample = `
import requests

endpoint = "${gateway.app.url}/insightFace/v1/swap"

headers = {
    "TT-API-KEY": "${KEY}"
}

data = ${JSON.stringify({ ...SAMPLE, hookUrl: SAMPLE_HOOK })}

response = requests.post(endpoint, headers=headers, json=data)

print(response.status_code)
print(response.json())

endpoint = "${gateway.app.url}/insightFace/v1/fetch"

data = {
    "jobId": response.json()["data"]["jobId"]
}

response = requests.post(endpoint, headers=headers, json=data)

print(response.status_code)
print(response.json())
`
  expect(await runSample('python3', ['-c', sample])).toMatch(
    /^200\n\{'status': 'SUCCESS', .*\n200\n\{'status': 'ON_QUEUE'/,
  )
})
