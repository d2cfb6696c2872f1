import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { CreateSwapDocument, SwapJobDocument } from '../support/generated.ts'
import { holdSubmit } from '../support/hold-submit.ts'
import { makeDataDir, openRawDatabaseOf, openTestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const CREATE = CreateSwapDocument.toString()
const JOB = SwapJobDocument.toString()

/** Unusual on purpose: the gateway must send addresses upstream byte for byte. */
const IMAGES = {
  targetImage: { url: 'https://EXAMPLE.com/a/../target.jpg@f_auto?token=0d92%2F&x' },
  swapImage: { url: 'http://例え.jp/face?u=1,2&fm=253&f=JPEG?w=500&h=625' },
}

test('createSwap records a swap, submits it once with its own hook address, and returns the job', async () => {
  const { app, graphql, upstream } = await openTestApp()
  const input = { ...IMAGES, clientReference: 'order 7', tags: ['a', 'b'] }
  const { data, status } = await graphql(CREATE, { input })
  expect(status).toBe(200)
  expect(data.createSwap).toMatchObject({
    __typename: 'CreateSwapSuccess',
    reused: 'NONE',
    job: { status: 'ON_QUEUE', done: false, version: 2, charge: { state: 'PENDING', quota: null } },
  })
  expect(upstream.submits).toBe(1)
  const [accepted] = upstream.accepted
  expect(accepted).toMatchObject({ targetImage: IMAGES.targetImage.url, swapImage: IMAGES.swapImage.url })
  expect(accepted?.hookUrl).toMatch(new RegExp(`^${app.publicUrl}/hooks/swapface/[\\w.-]{40,}$`))
  expect(data.createSwap.job.jobId).toBe(accepted?.id)

  const read = await graphql(JOB, { id: data.createSwap.job.id })
  expect(read.data.swapJob).toMatchObject({
    targetImage: { kind: 'URL', url: IMAGES.targetImage.url },
    swapImage: { kind: 'URL', url: IMAGES.swapImage.url },
    clientReference: 'order 7',
    tags: ['a', 'b'],
    timeline: [
      { version: 1, status: 'PENDING', source: 'CALLER' },
      { version: 2, status: 'ON_QUEUE', source: 'SUBMIT' },
    ],
  })
})

test('createSwap delays its response until the job is done, at most for `waitMs`', async () => {
  const { graphql, upstream } = await openTestApp()
  const answer = graphql(CREATE, { input: { ...IMAGES, waitMs: 20_000 } })
  const job = await until(() => upstream.accepted[0])
  job.state = { status: 'SUCCESS' }
  await until(async () => (await upstream.sendHook(job)) === 200)
  const { data } = await answer
  expect(data.createSwap.job).toMatchObject({ status: 'SUCCESS', done: true, charge: { state: 'CHARGED', quota: 3 } })
})

test('createSwap returns the current state of the same job for the same key, and submits once', async () => {
  const { graphql, upstream } = await openTestApp()
  const input = { ...IMAGES, idempotencyKey: 'k1' }
  const first = await graphql(CREATE, { input })
  const again = await graphql(CREATE, { input: { ...input, waitMs: 1 } })
  expect(again.data.createSwap).toMatchObject({
    __typename: 'CreateSwapSuccess',
    reused: 'SAME_KEY',
    job: { id: first.data.createSwap.job.id },
  })
  expect(upstream.submits).toBe(1)
})

test('createSwap returns one job to concurrent callers with the same key', async () => {
  const { graphql, upstream } = await openTestApp()
  const input = { ...IMAGES, idempotencyKey: 'k1' }
  const answers = await Promise.all(Array.from({ length: 20 }, () => graphql(CREATE, { input })))
  const ids = new Set(answers.map(({ data }) => data.createSwap.job.id))
  expect(ids.size).toBe(1)
  expect(answers.filter(({ data }) => data.createSwap.reused === 'NONE')).toHaveLength(1)
  expect(upstream.submits).toBe(1)
})

test('createSwap reads the key from the Idempotency-Key header if the input has none', async () => {
  const { graphql, upstream } = await openTestApp()
  const first = await graphql(CREATE, { input: IMAGES }, { 'idempotency-key': 'h1' })
  const again = await graphql(CREATE, { input: { ...IMAGES, idempotencyKey: 'h1' } })
  expect(again.data.createSwap.job.id).toBe(first.data.createSwap.job.id)
  expect(upstream.submits).toBe(1)
})

test('createSwap refuses a key with another input, names the job of the key, and submits nothing', async () => {
  const { graphql, upstream } = await openTestApp()
  const first = await graphql(CREATE, { input: { ...IMAGES, idempotencyKey: 'k1' } })
  const other = await graphql(CREATE, { input: { ...IMAGES, tags: ['other'], idempotencyKey: 'k1' } })
  expect(other.data.createSwap).toMatchObject({
    __typename: 'SwapIdempotencyConflictError',
    code: 'IDEMPOTENCY_KEY_REUSED',
    retryable: false,
    job: { id: first.data.createSwap.job.id },
  })
  expect(upstream.submits).toBe(1)
})

test('createSwap refuses a key with another hookUrl or keepDays, in either direction', async () => {
  const { graphql, upstream } = await openTestApp()
  const hook = (path: string) => ({ hookUrl: `https://hook.example/${path}` })
  const pairs = [
    [hook('a'), hook('b')],
    [{}, hook('b')],
    [hook('a'), {}],
    [{ keepDays: 30 }, { keepDays: 0 }],
    [{}, { keepDays: 8 }],
    [{ keepDays: 8 }, {}],
  ]
  for (const [n, [first, second]] of pairs.entries()) {
    const input = { ...IMAGES, idempotencyKey: `k${n}` }
    const made = await graphql(CREATE, { input: { ...input, ...first } })
    const other = await graphql(CREATE, { input: { ...input, ...second } })
    expect(other.data.createSwap, `pair ${n}`).toMatchObject({
      __typename: 'SwapIdempotencyConflictError',
      job: { id: made.data.createSwap.job.id },
    })
    const again = await graphql(CREATE, { input: { ...input, ...first } })
    expect(again.data.createSwap, `pair ${n}`).toMatchObject({ reused: 'SAME_KEY' })
  }
  expect(upstream.submits).toBe(pairs.length)
})

test('createSwap returns the same job for a key if only options of the response differ', async () => {
  const { graphql, upstream } = await openTestApp()
  const input = { ...IMAGES, idempotencyKey: 'k1' }
  const first = await graphql(CREATE, { input })
  for (const same of [
    { waitMs: 1 },
    { reuseSameContent: true },
    { keepDays: 7 },
    { hookUrl: '', clientReference: '', tags: [''] },
  ]) {
    const again = await graphql(CREATE, { input: { ...input, ...same } })
    expect(again.data.createSwap).toMatchObject({ reused: 'SAME_KEY', job: { id: first.data.createSwap.job.id } })
  }
  expect(upstream.submits).toBe(1)
})

test('createSwap recognises a key and its input from an earlier version, and compares the rest with the job', async () => {
  const dataDir = await makeDataDir()
  const { graphql } = await openTestApp({ dataDir })
  const input = { ...IMAGES, idempotencyKey: 'k1', clientReference: 'order 7', tags: ['a'], keepDays: 3 }
  await graphql(CREATE, { input })
  const database = await openRawDatabaseOf(dataDir)
  const parts = [IMAGES.targetImage.url, IMAGES.swapImage.url, 'order 7', ['a']]
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
  expect(await database.query('select fingerprint from idempotency_keys')).toEqual([{ fingerprint: digest }])
})

test('createSwap records a definite refusal as FAILED without a charge, and repeats it for the same key', async () => {
  const { graphql, upstream } = await openTestApp()
  upstream.planSubmits({ kind: 'answer', status: 402, body: '{"status":"FAILED","message":"insufficient quota"}' })
  const input = { ...IMAGES, idempotencyKey: 'k1' }
  for (const answer of [await graphql(CREATE, { input }), await graphql(CREATE, { input })]) {
    expect(answer.data.createSwap).toMatchObject({
      __typename: 'SwapUpstreamError',
      code: 'UPSTREAM_REFUSED',
      retryable: true,
      job: {
        status: 'FAILED',
        failure: { code: 'UPSTREAM_QUOTA_EXHAUSTED' },
        charge: { state: 'NOT_CHARGED', quota: null },
      },
    })
  }
  expect(upstream.submits).toBe(1)
})

test('createSwap leaves a job PENDING if the upstream is full, and the gateway submits it again', async () => {
  const { graphql, upstream } = await openTestApp()
  upstream.planSubmits({
    kind: 'answer',
    status: 499,
    body: '{"status":"FAILED","message":"queue is full","data":null}',
  })
  const { data } = await graphql(CREATE, { input: IMAGES })
  expect(data.createSwap.job).toMatchObject({ status: 'PENDING', version: 1, jobId: null })
  const later = await until(async () => {
    const answer = await graphql(JOB, { id: data.createSwap.job.id })
    return answer.data.swapJob.status === 'ON_QUEUE' && answer.data.swapJob
  })
  expect(later.version).toBe(2)
  expect(upstream.submits).toBe(2)
  expect(upstream.accepted).toHaveLength(1)
})

test('a submit whose response was lost is never retried, and its job is UNCONFIRMED until its own hook arrives', async () => {
  const { graphql, upstream } = await openTestApp()
  upstream.planSubmits({ kind: 'acceptAndReset' })
  const { data } = await graphql(CREATE, { input: IMAGES })
  expect(data.createSwap).toMatchObject({
    __typename: 'CreateSwapSuccess',
    job: { status: 'UNCONFIRMED', jobId: null, charge: { state: 'PENDING' } },
  })
  const [accepted] = upstream.accepted
  if (!accepted) throw new Error('the upstream took no job')
  accepted.state = { status: 'SUCCESS' }
  expect(await upstream.sendHook(accepted)).toBe(200)
  const job = await until(async () => {
    const answer = await graphql(JOB, { id: data.createSwap.job.id })
    return answer.data.swapJob.done && answer.data.swapJob
  })
  expect(job).toMatchObject({ status: 'SUCCESS', jobId: accepted.id, charge: { state: 'CHARGED', quota: 3 } })
  expect(job.timeline.map((entry: { status: string }) => entry.status)).toEqual(['PENDING', 'UNCONFIRMED', 'SUCCESS'])
  expect(upstream.submits).toBe(1)
})

test('createSwap ignores an upstream id that another job has', async () => {
  const { graphql, upstream, events } = await openTestApp()
  await graphql(CREATE, { input: IMAGES })
  const body = JSON.stringify({ status: 'SUCCESS', data: { jobId: upstream.accepted[0]?.id } })
  upstream.planSubmits({ kind: 'answer', status: 200, body })
  const { data } = await graphql(CREATE, { input: { ...IMAGES, tags: ['second'] } })
  expect(data.createSwap.job).toMatchObject({ status: 'UNCONFIRMED', jobId: null })
  expect(events.map(({ name }) => name)).toContain('upstreamIdTaken')
})

test('createSwap continues if the caller disconnects before the response', async () => {
  const { app, graphql, upstream } = await openTestApp()
  const release = holdSubmit(upstream)
  const hangUp = new AbortController()
  const request = fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: CREATE, variables: { input: { ...IMAGES, idempotencyKey: 'k1' } } }),
    signal: hangUp.signal,
  }).catch(() => 'hung up')
  await until(() => upstream.accepted.length === 1)
  hangUp.abort()
  expect(await request).toBe('hung up')
  release()
  const job = await until(async () => {
    const { data } = await graphql(CREATE, { input: { ...IMAGES, idempotencyKey: 'k1' } })
    return data.createSwap.job.status === 'ON_QUEUE' && data.createSwap.job
  })
  expect(job.jobId).toBe(upstream.accepted[0]?.id)
  expect(upstream.submits).toBe(1)
})

test('createSwap reports all defects of the input at once, each with its path, and submits nothing', async () => {
  const { graphql, upstream } = await openTestApp()
  const { data, status } = await graphql(CREATE, {
    input: {
      targetImage: { url: 'ftp://example.com/a.jpg' },
      swapImage: { url: 'not a url' },
      idempotencyKey: '',
      clientReference: 'x'.repeat(256),
      tags: [...Array.from({ length: 10 }, () => 'ok'), 'y'.repeat(65)],
      waitMs: 25_001,
    },
  })
  expect(status).toBe(200)
  expect(data.createSwap).toMatchObject({
    __typename: 'SwapInvalidInputError',
    code: 'INVALID_INPUT',
    retryable: false,
  })
  const issues = data.createSwap.issues.map((issue: { path: string[]; code: string }) => [
    issue.path.join('.'),
    issue.code,
  ])
  expect(Object.fromEntries(issues)).toEqual({
    'input.targetImage.url': 'SCHEME_NOT_SUPPORTED',
    'input.swapImage.url': 'ADDRESS_HAS_SPACE',
    'input.idempotencyKey': 'REQUIRED',
    'input.clientReference': 'TOO_LONG',
    'input.tags': 'TOO_MANY',
    'input.tags.10': 'TOO_LONG',
    'input.waitMs': 'OUT_OF_RANGE',
  })
  expect(upstream.submits).toBe(0)
})

const BAD_URLS = {
  'an address of 8,193 characters': [`https://example.com/${'a'.repeat(8_173)}`, 'TOO_LONG', /8192 characters/],
  'an empty address': ['', 'REQUIRED', /must not be empty/],
  'a relative address': ['/a.jpg', 'SCHEME_REQUIRED', /Start it with https/],
  'an address without a scheme': ['example.com/a.jpg', 'SCHEME_REQUIRED', /Start it with https/],
  'a host and a port without a scheme': ['localhost:4010/a.jpg', 'SCHEME_REQUIRED', /Start it with https/],
  'a protocol-relative address': ['//example.com/a.jpg', 'SCHEME_REQUIRED', /Add https: or http: before/],
  'a script': ['javascript:alert(1)', 'SCHEME_NOT_SUPPORTED', /javascript: are not supported/],
  'a file': ['file:///etc/passwd', 'SCHEME_NOT_SUPPORTED', /file: are not supported/],
  'an address of FTP': ['ftp://example.com/a.jpg', 'SCHEME_NOT_SUPPORTED', /ftp: are not supported/],
  'a blob of a page': ['blob:https://example.com/0b0c', 'SCHEME_NOT_SUPPORTED', /blob: are not supported/],
  'data in the address': ['data:image/png;base64,AAAA', 'DATA_URL_NOT_SUPPORTED', /createSwapUpload/],
  'an address without a host': ['http://', 'NOT_HTTP_URL', /valid host name/],
  'an address without slashes': ['https:example.com/a.jpg', 'NOT_HTTP_URL', /must have \/\//],
  'an address with a port out of range': ['https://example.com:65536/', 'NOT_HTTP_URL', /port of at most 65535/],
  'a line break in the address': ['https://example.com/\r\nHost: evil', 'ADDRESS_HAS_CONTROL_CHARACTER', /line breaks/],
  'a space before the address': [' https://example.com/a.jpg', 'ADDRESS_HAS_SPACE', /begin or end with a space/],
  'a space in the address': ['https://example.com/my photo.jpg', 'ADDRESS_HAS_SPACE', /%20/],
  'a no-break space in the address': ['https://example.com/my\u00A0photo.jpg', 'ADDRESS_HAS_SPACE', /Percent-encode/],
  'a backslash in the address': ['https://example.com\\a.jpg', 'ADDRESS_HAS_BACKSLASH', /Replace it with \//],
  'a user name in the address': ['https://user@example.com/a.jpg', 'ADDRESS_HAS_CREDENTIALS', /user name/],
  'a password in the address': ['https://user:pass@example.com/a.jpg', 'ADDRESS_HAS_CREDENTIALS', /password/],
  'a port of another protocol': ['https://example.com:81/a.jpg', 'PORT_NOT_ALLOWED', /port 443.*ALLOWED_PRIVATE_HOSTS/],
  'a private address': ['http://10.0.0.1/a.jpg', 'ADDRESS_NOT_ALLOWED', /public internet.*ALLOWED_PRIVATE_HOSTS/],
} as const

test('createSwap refuses each kind of invalid address, of an image or a hook, with its own code and a remedy', async () => {
  const { graphql, upstream } = await openTestApp()
  for (const [name, [url, code, message]] of Object.entries(BAD_URLS)) {
    const image = await graphql(CREATE, { input: { ...IMAGES, targetImage: { url } } })
    const issue = { code, message: expect.stringMatching(message) }
    expect(image.data.createSwap.issues, name).toMatchObject([{ path: ['input', 'targetImage', 'url'], ...issue }])
    if (url === '') continue
    const hook = await graphql(CREATE, { input: { ...IMAGES, hookUrl: url } })
    expect(hook.data.createSwap.issues, name).toMatchObject([{ path: ['input', 'hookUrl'], ...issue }])
  }
  expect(upstream.submits).toBe(0)
})

test('createSwap accepts addresses of 8,192 characters, and returns them byte for byte', async () => {
  const { graphql, upstream } = await openTestApp()
  const long = (host: string) => `https://${host}/?X-Amz-Security-Token=`.padEnd(8_191, 'A') + '界'
  const [target, face, hookUrl] = [long('t.example'), long('f.example'), long('h.example')]
  const input = { targetImage: { url: target }, swapImage: { url: face }, hookUrl }
  const { data } = await graphql(CREATE, { input })
  expect(upstream.accepted[0]).toMatchObject({ targetImage: target, swapImage: face })
  const read = await graphql(JOB, { id: data.createSwap.job.id })
  expect(read.data.swapJob).toMatchObject({ targetImage: { url: target }, swapImage: { url: face } })
})

test('createSwap treats an empty hookUrl, an empty clientReference and empty tags as absent', async () => {
  const { graphql } = await openTestApp()
  const input = { ...IMAGES, hookUrl: '', clientReference: '', tags: ['', 'a', ''] }
  const { data } = await graphql(
    `
      mutation ($input: CreateSwapInput!) {
        createSwap(input: $input) {
          ... on CreateSwapSuccess {
            job {
              clientReference
              tags
              hook {
                url
              }
            }
          }
        }
      }
    `,
    { input },
  )
  expect(data.createSwap.job).toEqual({ clientReference: null, tags: ['a'], hook: null })
})

const BAD_TYPES = {
  'a missing image': { targetImage: IMAGES.targetImage },
  'two members of a one-of': { ...IMAGES, swapImage: { url: 'https://example.com/a.jpg', uploadId: 'x' } },
  'no member of a one-of': { ...IMAGES, swapImage: {} },
  'a null member of a one-of': { ...IMAGES, swapImage: { url: null } },
  'a number for an address': { ...IMAGES, swapImage: { url: 7 } },
}

/** With this media type a document that cannot run gets 400. */
const STRICT = { accept: 'application/graphql-response+json' }

test.each(Object.entries(BAD_TYPES))('createSwap returns 400 with the location for %s', async (_name, input) => {
  const { graphql, upstream } = await openTestApp()
  const { status, data, errors } = await graphql(CREATE, { input }, STRICT)
  expect({ status, data }).toEqual({ status: 400, data: undefined })
  expect(errors).toMatchObject([{ locations: [{ line: 2 }], extensions: { code: 'BAD_USER_INPUT' } }])
  expect(upstream.submits).toBe(0)
})

test('createSwap returns 400 with the location for a literal of the wrong type', async () => {
  const { graphql } = await openTestApp()
  const { status, errors } = await graphql(
    'mutation { createSwap(input: { targetImage: { url: "https://a.example" } }) { __typename } }',
    {},
    STRICT,
  )
  expect(status).toBe(400)
  expect(errors).toMatchObject([{ locations: [{ line: 1 }], extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }])
})
