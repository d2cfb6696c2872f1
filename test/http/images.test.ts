/** Uploads and image delivery: stored images are re-encoded, and readable only by authorized callers. */
import { randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { request as requestHttp } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import sharp from 'sharp'
import { request as sendStream } from 'undici'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { MAX_IMAGE_BYTES } from '../../src/lib/image/image-limits.ts'
import { sendRaw } from '../security/stage.ts'
import { createFastClock } from '../support/fast-clock.ts'
import { makeImage, makeManyFrames, REJECTED, withLargeProfile } from '../support/images.ts'
import { openScriptedHost } from '../support/scripted-host.ts'
import { closeAfterGroup, closeAfterTest } from '../support/close-after-test.ts'
import { makeDataDir, openTestApp, type TestApp } from '../support/test-app.ts'
import { sha256 } from '../../src/lib/crypto/sha256.ts'
import { until } from '../support/until.ts'

const RESERVE = `mutation ($input: CreateSwapUploadInput!) { createSwapUpload(input: $input) {
  __typename
  ... on CreateSwapUploadSuccess { upload { id status purgeAt } put { url headers { name value } expiresAt } }
  ... on SwapInvalidInputError { issues { path code } }
} }`

async function reserve(gateway: TestApp, bytes: Uint8Array, over: object = {}) {
  const input = { contentType: 'IMAGE_JPEG', byteLength: bytes.byteLength, ...over }
  return (await gateway.graphql(RESERVE, { input })).data.createSwapUpload
}

async function put(url: string, bytes: Uint8Array, type = 'image/jpeg') {
  const response = await fetch(url, { method: 'PUT', body: new Uint8Array(bytes), headers: { 'content-type': type } })
  return { status: response.status, json: (await response.json()) as Record<string, any> } // oxlint-disable-line typescript/no-explicit-any
}

async function upload(gateway: TestApp, bytes: Uint8Array, over: object = {}, type = 'image/jpeg'): Promise<string> {
  const { upload: reserved, put: target } = await reserve(gateway, bytes, over)
  expect((await put(target.url, bytes, type)).status).toBe(200)
  return reserved.id
}

/** Begins to send an upload and stops after its first byte. */
function openHeldUpload(url: string, byteLength: number) {
  let isOpen = false
  const request = requestHttp(url, { method: 'PUT', headers: { 'content-length': byteLength, expect: '100-continue' } })
  // Node sends 100 Continue before the request reaches the gateway.
  request.on('continue', () => {
    request.write('x')
    isOpen = true
  })
  request.on('error', () => {})
  request.flushHeaders()
  closeAfterTest(() => void request.destroy())
  return { isOpen: () => isOpen, end: () => request.destroy() }
}

const JOB = `job { id status targetImage { kind url upload { id } resultOf { id } }
  result { url expiresAt copyFailure provenance { digitalSourceType } copy { url contentType width height byteLength sha256 } } purgeAt forgottenAt charge { state } }`
const CREATE = `mutation ($input: CreateSwapInput!) { createSwap(input: $input) {
  __typename
  ... on CreateSwapSuccess { ${JOB} }
  ... on SwapInvalidInputError { issues { path code message } }
} }`
const face = { url: 'https://example.com/f.jpg' }

const create = async (gateway: TestApp, targetImage: object, over: object = {}) =>
  (await gateway.graphql(CREATE, { input: { targetImage, swapImage: face, ...over } })).data.createSwap

const read = async (gateway: TestApp, id: string) =>
  (await gateway.graphql(`query ($id: ID!) { ${JOB.replace('job ', 'swapJob(id: $id) ')} }`, { id })).data.swapJob

const KEY = 'the key of the caller'

/** Opens an app with a public URL, and replaces it in responses with the address that the app listens on. */
async function openApp(settings: Record<string, string> = {}): Promise<TestApp> {
  const keys = { API_KEYS: `local:${sha256(Buffer.from(KEY))}` }
  const app = await openTestApp({ settings: { PUBLIC_URL: 'https://gateway.example', ...keys, ...settings } })
  return {
    ...app,
    graphql: async (query, variables) => {
      const answer = await app.graphql(query, variables, { 'x-api-key': KEY })
      return JSON.parse(JSON.stringify(answer).replaceAll('https://gateway.example', app.app.url)) as typeof answer
    },
  }
}

let gateway: TestApp

describe('an upload', () => {
  beforeEach(async () => {
    gateway = await openApp()
  })

  test('is reserved, sent, re-encoded and used by its id, and the upstream gets a signed address', async () => {
    const bytes = await makeImage()
    const { upload: reserved, put: target } = await reserve(gateway, bytes)
    expect(reserved).toMatchObject({ status: 'AWAITING_BYTES', purgeAt: expect.any(String) })
    expect(target.headers).toEqual([
      { name: 'Content-Type', value: 'image/jpeg' },
      { name: 'Content-Length', value: String(bytes.byteLength) },
    ])
    const { json } = await put(target.url, bytes)
    expect(json).toEqual({ id: reserved.id, status: 'READY', rejection: null, width: 64, height: 48 })

    const { job } = await create(gateway, { uploadId: reserved.id })
    expect(job.targetImage).toMatchObject({ kind: 'UPLOAD', upload: { id: reserved.id } })
    const given = gateway.upstream.accepted[0]?.targetImage ?? ''
    expect(given).toMatch(/^https:\/\/gateway\.example\/images\/img_\w+\.jpg\?e=[0-9a-f]+&s=/)
    for (const address of [given.replace('https://gateway.example', gateway.app.url), job.targetImage.url]) {
      const response = await fetch(address)
      expect(response.headers.get('content-type')).toBe('image/jpeg')
      const served = new Uint8Array(await response.arrayBuffer())
      expect(sha256(served)).not.toBe(sha256(bytes))
      expect(await sharp(served).metadata()).toMatchObject({ width: 64, height: 48 })
    }
  })

  test('has no metadata of the sender: no location, no camera, no colour profile, no orientation', async () => {
    const bytes = await sharp(await makeImage('jpeg', 60, 40))
      .withExif({ IFD0: { Copyright: 'canary' }, IFD3: { GPSLatitude: '51/1 30/1 0/1', GPSLatitudeRef: 'N' } })
      .withMetadata({ orientation: 6, icc: 'p3' })
      .jpeg()
      .toBuffer()
    const id = await upload(gateway, bytes)
    const { job } = await create(gateway, { uploadId: id })
    const served = Buffer.from(await (await fetch(job.targetImage.url)).arrayBuffer())
    const { exif, icc, xmp, iptc, orientation, width, height } = await sharp(served).metadata()
    expect({ exif, icc, xmp, iptc, orientation }).toEqual({})
    expect([width, height]).toEqual([40, 60])
    expect(served.includes('canary')).toBe(false)
  })

  test('whose digest is already stored is not sent again', async () => {
    const bytes = await makeImage()
    const id = await upload(gateway, bytes, { sha256: sha256(bytes) })
    const again = await reserve(gateway, bytes, { sha256: sha256(bytes).toUpperCase() })
    expect(again).toMatchObject({ upload: { id, status: 'READY' }, put: null })
  })

  test('may be sent again, as after a lost connection, and the response has its state', async () => {
    const bytes = await makeImage()
    const { put: target } = await reserve(gateway, bytes)
    const answers = [await put(target.url, bytes), await put(target.url, bytes)]
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect(answers[0]?.json).toEqual(answers[1]?.json)
  })

  test('in chunks, as from a proxy, is accepted if it has the announced length', async () => {
    const bytes = await makeImage()
    const { put: target } = await reserve(gateway, bytes)
    const putChunks = async (...chunks: Uint8Array[]) =>
      sendStream(target.url, { method: 'PUT', headers: { 'content-type': 'image/jpeg' }, body: Readable.from(chunks) })
    expect((await putChunks(bytes, Buffer.alloc(1))).statusCode).toBe(400)
    expect((await putChunks(bytes.subarray(1))).statusCode).toBe(400)
    expect((await putChunks(bytes.subarray(0, 10), bytes.subarray(10))).statusCode).toBe(200)
  })

  test('that is compressed is refused, and its reservation stays open', async () => {
    const bytes = await makeImage()
    const { put: target } = await reserve(gateway, bytes)
    const headers = { 'content-type': 'image/jpeg', 'content-encoding': 'gzip' }
    const refused = await fetch(target.url, { method: 'PUT', headers, body: new Uint8Array(bytes) })
    expect([refused.status, await refused.text()]).toEqual([415, expect.stringContaining('Content-Encoding')])
    expect((await put(target.url, bytes)).status).toBe(200)
  })

  test.each<[string, (target: string) => Promise<{ status: number }>, number]>([
    ['in a form', async (url) => put(url, await makeImage(), 'multipart/form-data; boundary=x'), 415],
    ['of another length', async (url) => put(url, Buffer.alloc(10)), 400],
    ['to an address that was changed', async (url) => put(url.replace(/e=\w/, 'e=7'), await makeImage()), 404],
    ['to another upload', async (url) => put(url.replace(/img_\w{4}/, 'img_0000'), await makeImage()), 404],
    ['without a signature', async (url) => put(url.split('?')[0] ?? '', await makeImage()), 404],
  ])('%s is refused, and its reservation stays open', async (_what, send, status) => {
    const bytes = await makeImage()
    const { put: target } = await reserve(gateway, bytes)
    expect((await send(target.url)).status).toBe(status)
    expect((await put(target.url, bytes)).status).toBe(200)
  })

  test.each([
    [{ byteLength: 20_000_001 }, 'IMAGE_TOO_LARGE'],
    [{ byteLength: 0 }, 'OUT_OF_RANGE'],
    [{ byteLength: 10, sha256: 'nonsense' }, 'OUT_OF_RANGE'],
  ])('%j cannot be reserved', async (over, code) => {
    expect((await reserve(gateway, Buffer.alloc(1), over)).issues[0].code).toBe(code)
  })

  test.each<[string, 'jpeg' | 'png' | 'webp', string, string | undefined]>([
    ['a WebP that was announced, and is sent, as a JPEG', 'webp', 'IMAGE_JPEG', 'image/jpeg'],
    ['a JPEG that was announced as a PNG, and is sent as a JPEG', 'jpeg', 'IMAGE_PNG', 'image/jpeg'],
    ['a PNG that is sent as unknown bytes', 'png', 'IMAGE_PNG', 'application/octet-stream'],
    ['a PNG that is sent without a type', 'png', 'IMAGE_JPEG', undefined],
  ])('is stored with the type of its bytes: %s', async (_what, format, contentType, sentAs) => {
    const bytes = await makeImage(format)
    const { upload: reserved, put: target } = await reserve(gateway, bytes, { contentType })
    const headers = sentAs === undefined ? undefined : { 'content-type': sentAs }
    const response = await fetch(target.url, {
      method: 'PUT',
      body: new Uint8Array(bytes),
      ...(headers && { headers }),
    })
    expect(response.status).toBe(200)
    const query = 'query ($id: ID!) { node(id: $id) { ... on SwapUpload { contentType } } }'
    const { data } = await gateway.graphql(query, { id: reserved.id })
    expect(data.node.contentType).toBe(`IMAGE_${format.toUpperCase()}`)
    const { job } = await create(gateway, { uploadId: reserved.id })
    expect((await sharp(await (await fetch(job.targetImage.url)).arrayBuffer()).metadata()).format).toBe(format)
  })

  test('is accepted in chunks, as a proxy may send it, without a Content-Length', async () => {
    const bytes = await makeImage()
    const { put: target } = await reserve(gateway, bytes)
    const body = new Blob([new Uint8Array(bytes)]).stream()
    const response = await fetch(target.url, { method: 'PUT', body, duplex: 'half' } as RequestInit)
    expect(response.status).toBe(200)
  })

  test.each<[string, number, number]>([
    ['the largest photograph of a 50-megapixel phone', 8_192, 6_144],
    // A small height suffices, because only the width matters.
    ['a panorama of a phone', 16_382, 300],
    ['a panorama that is wider than a WebP can be', 30_000, 200],
  ])('is accepted: %s, and its views are made', { timeout: 60_000 }, async (_what, width, height) => {
    const bytes = await sharp({ create: { width, height, channels: 3, background: '#7a8899' } })
      .jpeg({ quality: 60 })
      .toBuffer()
    const id = await upload(gateway, bytes)
    const stored = await sharp(
      await (await fetch(`${gateway.app.url}/images/${id}.jpg`, { headers: { 'x-api-key': KEY } })).arrayBuffer(),
    ).metadata()
    expect([stored.width, stored.height]).toEqual([width, height])
    const view = await fetch(`${gateway.app.url}/images/${id}.webp`, { headers: { 'x-api-key': KEY } })
    expect((await sharp(await view.arrayBuffer()).metadata()).format).toBe('webp')
  })

  test('may have the maximum size, and does not exceed it when it is re-encoded', { timeout: 60_000 }, async () => {
    // Noise at a lower quality: encoded at the gateway's quality it has more than twice the bytes.
    const bytes = await sharp(randomBytes(5_000 * 5_000 * 3), { raw: { width: 5_000, height: 5_000, channels: 3 } })
      .jpeg({ quality: 75 })
      .toBuffer()
    expect(bytes.byteLength).toBeGreaterThan(12_000_000)
    expect(bytes.byteLength).toBeLessThan(MAX_IMAGE_BYTES)
    const id = await upload(gateway, bytes)
    const stored = await fetch(`${gateway.app.url}/images/${id}.jpg`, { headers: { 'x-api-key': KEY } })
    expect((await stored.arrayBuffer()).byteLength).toBeLessThan(MAX_IMAGE_BYTES)
  })

  test('is refused with 503 during too many other uploads, and accepted after them', async () => {
    const large = Buffer.alloc(20_000_000)
    const targets = await Promise.all(Array.from({ length: 8 }, async () => (await reserve(gateway, large)).put))
    const held = targets.map(({ url }) => openHeldUpload(url, large.byteLength))
    await until(() => held.every(({ isOpen }) => isOpen()))
    const bytes = await makeImage()
    // Another upload may still be accepted until all held ones are counted.
    const target = await until(async () => {
      const { put: next } = await reserve(gateway, bytes)
      return (await put(next.url, bytes)).status === 503 ? next : null
    })
    for (const { end } of held) end()
    const last = await until(async () => {
      const { status } = await put(target.url, bytes)
      return status === 503 ? null : status
    })
    expect(last).toBe(200)
  })

  test('whose bytes cannot be stored gets 500 after its body was read, and the error is logged', async () => {
    const dataDir = await makeDataDir()
    const app = await openTestApp({ dataDir })
    const bytes = await makeImage()
    const { put: target } = await reserve(app, bytes)
    await rm(join(dataDir, 'images'), { recursive: true })
    await writeFile(join(dataDir, 'images'), 'no folder')
    const { status, json } = await put(target.url, bytes)
    expect([status, json['errors'] ?? json['error'] ?? json]).toEqual([500, expect.anything()])
    expect(app.events.map(({ name }) => name)).toContain('requestErred')
  })

  test('that is not ready or does not exist cannot be used, and nothing is submitted', async () => {
    const { upload: reserved } = await reserve(gateway, await makeImage())
    for (const uploadId of [reserved.id, 'img_00000000000000000000000000', 'x']) {
      expect((await create(gateway, { uploadId })).issues).toMatchObject([
        { path: ['input', 'targetImage', 'uploadId'], code: 'UPLOAD_NOT_READY' },
      ])
    }
    expect(gateway.upstream.submits).toBe(0)
  })

  test('needs an address that the upstream can reach; the error names the setting', async () => {
    const local = await openTestApp()
    const id = await upload(local, await makeImage())
    const { issues } = await create(local, { uploadId: id })
    expect(issues).toMatchObject([{ code: 'ADDRESS_NOT_ALLOWED', message: expect.stringContaining('PUBLIC_URL') }])
  })

  test('is a node', async () => {
    const id = await upload(gateway, await makeImage())
    const { data } = await gateway.graphql(
      'query ($id: ID!) { node(id: $id) { ... on SwapUpload { status width } } }',
      { id },
    )
    expect(data.node).toEqual({ status: 'READY', width: 64 })
  })
})

describe('a hostile upload:', () => {
  beforeAll(async () =>
    closeAfterGroup(async () => {
      gateway = await openApp()
    }),
  )

  test.each(Object.entries(REJECTED))('%s is rejected with a reason, and not stored', async (_what, make) => {
    const bytes = await make()
    const before = process.memoryUsage().rss
    const { upload: reserved, put: target } = await reserve(gateway, bytes)
    const { status, json } = await put(target.url, bytes)
    expect([status, json['status']]).toEqual([422, 'REJECTED'])
    expect(json['rejection']).toMatch(/^It[s ]/)
    expect(json['rejection']).not.toMatch(/vips|sharp|Input/i)
    expect((await fetch(`${gateway.app.url}/images/${reserved.id}.jpg`)).status).toBe(404)
    expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024)
  })

  test('an image with appended data is stored without it', async () => {
    const polyglot = Buffer.concat([await makeImage(), Buffer.from('<script>canary</script>PK\u0003\u0004')])
    const id = await upload(gateway, polyglot)
    const served = Buffer.from(
      await (await fetch(`${gateway.app.url}/images/${id}.jpg`, { headers: { 'x-api-key': KEY } })).arrayBuffer(),
    )
    expect(served.includes('canary')).toBe(false)
  })

  test('an image with a colour profile of four megabytes is stored without it', async () => {
    const bytes = withLargeProfile(await makeImage())
    const id = await upload(gateway, bytes)
    const served = Buffer.from(
      await (await fetch(`${gateway.app.url}/images/${id}.jpg`, { headers: { 'x-api-key': KEY } })).arrayBuffer(),
    )
    expect([bytes.byteLength > 4_000_000, served.byteLength < 100_000]).toEqual([true, true])
  })

  test('only the first frame of an animation with a thousand frames is stored', async () => {
    const bytes = await makeManyFrames(1_000)
    expect(await sharp(bytes).metadata()).toMatchObject({ pages: 1_000 })
    const id = await upload(gateway, bytes, { contentType: 'IMAGE_WEBP' }, 'image/webp')
    const served = Buffer.from(
      await (await fetch(`${gateway.app.url}/images/${id}.webp`, { headers: { 'x-api-key': KEY } })).arrayBuffer(),
    )
    const { width, height, pages } = await sharp(served).metadata()
    expect([width, height, pages ?? 1]).toEqual([4, 4, 1])
  })
})

describe('an image is delivered', () => {
  let url = ''
  let whole = Buffer.alloc(0)
  beforeAll(async () =>
    closeAfterGroup(async () => {
      // With API keys, a request without a key is authorized by its signature only.
      gateway = await openApp({ API_KEYS: `acme:${sha256(Buffer.from(KEY))},other:${sha256(Buffer.from('other'))}` })
      const id = await upload(gateway, await makeImage('jpeg', 300, 200))
      url = (await create(gateway, { uploadId: id })).job.targetImage.url
      whole = Buffer.from(await (await fetch(url)).arrayBuffer())
    }),
  )

  test('with a fixed type, cacheable until its address expires, and without script execution', async () => {
    const { headers } = await fetch(url)
    expect(headers.get('cache-control')).toMatch(/^private, max-age=\d{5}, immutable$/)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('content-security-policy')).toContain('sandbox')
    expect(headers.get('cross-origin-resource-policy')).toBe('cross-origin')
    expect(headers.get('content-length')).toBe(String(whole.byteLength))
  })

  test('without its bytes to a client that has cached it', async () => {
    const etag = (await fetch(url)).headers.get('etag') ?? ''
    const again = await fetch(url, { headers: { 'if-none-match': etag } })
    expect([again.status, (await again.arrayBuffer()).byteLength]).toEqual([304, 0])
  })

  test.each([
    ['bytes=0-9', 206, [0, 10]],
    ['bytes=10-', 206, [10, undefined]],
    ['bytes=-7', 206, [-7, undefined]],
    ['Bytes=0-9', 206, [0, 10]],
    ['bytes=0-99999999', 206, [0, undefined]],
    ['bytes=99999999-', 416, null],
    ['bytes=-0', 416, null],
    ['bytes=5-2', 200, [0, undefined]],
    ['bytes=0-1,4-5', 200, [0, undefined]],
    ['lines=1-2', 200, [0, undefined]],
  ] as const)('by ranges: %s', async (range, status, part) => {
    const response = await fetch(url, { headers: { range } })
    expect(response.status).toBe(status)
    const bytes = Buffer.from(await response.arrayBuffer())
    if (part) expect(bytes.equals(whole.subarray(part[0], part[1]))).toBe(true)
  })

  test('by HEAD without its bytes and with the full length, even for a range', async () => {
    for (const headers of [{}, { range: 'bytes=0-9' }]) {
      const response = await fetch(url, { method: 'HEAD', headers })
      expect([response.status, response.headers.get('content-length')]).toEqual([200, String(whole.byteLength)])
    }
  })

  test('to pages of any site, cross-origin isolated ones included', async () => {
    const etag = (await fetch(url)).headers.get('etag') ?? ''
    for (const headers of [{}, { 'if-none-match': etag }]) {
      const response = await fetch(url, { headers })
      expect(response.headers.get('cross-origin-resource-policy')).toBe('cross-origin')
    }
  })

  test('according to the conditions of the request', async () => {
    const etag = (await fetch(url)).headers.get('etag') ?? ''
    const statusFor = async (headers: Record<string, string>) => (await fetch(url, { headers })).status
    expect(await statusFor({ 'if-none-match': `W/${etag}` })).toBe(304)
    expect(await statusFor({ 'if-none-match': `"other", W/${etag}` })).toBe(304)
    expect(await statusFor({ 'if-none-match': '*' })).toBe(304)
    expect(await statusFor({ 'if-none-match': '"other"' })).toBe(200)
    expect(await statusFor({ 'if-modified-since': new Date().toUTCString() })).toBe(200)
    expect(await statusFor({ 'if-match': etag })).toBe(200)
    expect(await statusFor({ 'if-match': '*' })).toBe(200)
    expect(await statusFor({ 'if-match': '"other"' })).toBe(412)
    expect(await statusFor({ range: 'bytes=0-9', 'if-range': etag })).toBe(206)
    expect(await statusFor({ range: 'bytes=0-9', 'if-range': '"other"' })).toBe(200)
    expect(await statusFor({ range: 'bytes=0-9', 'if-range': new Date().toUTCString() })).toBe(200)
  })

  test('with the Vary header for caches, and errors are not cached', async () => {
    const etag = (await fetch(url)).headers.get('etag') ?? ''
    const known = await fetch(url, { headers: { 'if-none-match': etag } })
    expect(known.headers.get('cache-control')).toMatch(/^private, max-age=\d{5}, immutable$/)
    const keyed = await fetch(url.split('?')[0] ?? '', { headers: { 'x-api-key': KEY } })
    expect(keyed.headers.get('vary')).toBe('Origin, Authorization, X-API-Key')
    for (const headers of [{ range: 'bytes=99999999-' }, { 'if-match': '"other"' }]) {
      const refused = await fetch(url, { headers })
      expect([refused.status >= 400, refused.headers.get('cache-control')]).toEqual([true, 'private, no-store'])
    }
  })

  test.each([
    ['a changed expiry', (address: string) => address.replace(/e=(\w)/, 'e=7')],
    ['a changed MAC', (address: string) => `${address.slice(0, -1)}${address.endsWith('A') ? 'B' : 'A'}`],
    ['an added width', (address: string) => `${address}&w=10`],
    ['another format', (address: string) => address.replace('.jpg', '.png')],
    ['another id', (address: string) => address.replace(/img_\w{5}/, 'img_00000')],
    ['no signature', (address: string) => address.split('?')[0] ?? ''],
  ])('only to its own tenant with a key if the address has %s', async (_what, change) => {
    const address = change(url)
    expect((await fetch(address)).status).toBe(404)
    expect((await fetch(address, { headers: { 'x-api-key': 'other' } })).status).toBe(404)
    const isThere = !address.includes('img_00000') && !address.includes('w=10')
    if (isThere) expect((await fetch(address, { headers: { 'x-api-key': KEY } })).status).toBe(200)
  })

  test('only until its address expires', async () => {
    const clock = createFastClock(20_000)
    const app = await openTestApp({ clock, settings: { API_KEYS: `acme:${sha256(Buffer.from(KEY))}` } })
    const keyed: TestApp = {
      ...app,
      graphql: async (query, variables) => app.graphql(query, variables, { 'x-api-key': KEY }),
    }
    const { put: target } = await reserve(keyed, await makeImage())
    // The wrong length is refused until the address expires, so the upload is never accepted.
    await until(async () => (await put(target.url, Buffer.alloc(1))).status === 410)
    expect(Date.parse(target.expiresAt)).toBeLessThan(clock.now())
  })

  test('with readable pixels to pages of allowed origins, and as a picture to any page', async () => {
    const open = await openTestApp({ settings: { ALLOWED_ORIGINS: 'https://app.example.com' } })
    const id = await upload(open, await makeImage())
    const address = `${open.app.url}/images/${id}.jpg`
    const allowed = await fetch(address, { headers: { origin: 'https://app.example.com' } })
    expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([
      200,
      'https://app.example.com',
    ])
    expect((await fetch(address, { headers: { origin: 'https://evil.example' } })).status).toBe(403)
    const picture = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }
    const request = Object.entries(picture).map(([name, value]) => `${name}: ${value}\r\n`)
    const { port } = new URL(address)
    const raw = `GET /images/${id}.jpg HTTP/1.1\r\nHost: 127.0.0.1\r\n${request.join('')}Connection: close\r\n\r\n`
    expect(await sendRaw(Number(port), raw)).toMatch(/^HTTP\/1\.1 200/)
  })
})

describe('a result', () => {
  const FINISHED = { status: 'SUCCESS' } as const

  /** Ends a new job with links to a host that serves the image and can be closed. */
  async function finish(over: object = {}, link = (url: string) => `${url}/result.jpg`, result?: Uint8Array) {
    const image = result ?? (await makeImage('jpeg', 120, 90))
    const host = await openScriptedHost((_request, response) => response.end(image))
    closeAfterTest(() => host.close())
    const app = await openApp({ ALLOWED_PRIVATE_HOSTS: host.host })
    const made = await create(app, face, over)
    const [accepted] = app.upstream.accepted
    if (!accepted) throw new Error('nothing was sent')
    accepted.state = { ...FINISHED, links: { cdnImage: link(host.url), discordImage: `${host.url}/late.jpg?ex=1` } }
    await app.upstream.sendHook(accepted)
    await until(async () => (await read(app, made.job.id)).status === 'SUCCESS')
    return { app, host, id: String(made.job.id) }
  }

  const IPTC = 'http://cv.iptc.org/newscodes/digitalsourcetype'
  const COMPOSITE = `${IPTC}/compositeWithTrainedAlgorithmicMedia`
  const withXmp = (properties: string) =>
    `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/"><dc:creator xmlns:dc="http://purl.org/dc/elements/1.1/">canary</dc:creator>${properties}</rdf:Description></rdf:RDF></x:xmpmeta>`

  test.each<[string, string | null, string, string[]]>([
    ['without any metadata: as a face swap', null, COMPOSITE, []],
    [
      'that calls itself a photograph, as its template did: as a face swap',
      `<Iptc4xmpExt:DigitalSourceType>${IPTC}/digitalCapture</Iptc4xmpExt:DigitalSourceType>`,
      COMPOSITE,
      [],
    ],
    [
      'that says it is generated: as it says',
      `<Iptc4xmpExt:DigitalSourceType rdf:resource="${IPTC}/trainedAlgorithmicMedia"/>`,
      `${IPTC}/trainedAlgorithmicMedia`,
      [],
    ],
    [
      'with the label of Chinese law: with that, too',
      '<TC260:AIGC>{"Label":"1","ContentProducer":"ttapi"}</TC260:AIGC>',
      COMPOSITE,
      ['<TC260:AIGC>{"Label":"1","ContentProducer":"ttapi"}</TC260:AIGC>'],
    ],
  ])('is marked as synthetic media in its copy and in each view of it: one %s', async (_what, xmp, type, others) => {
    const plain = sharp(await makeImage('png', 120, 90)).jpeg()
    const { app, id } = await finish(
      {},
      undefined,
      await (xmp === null ? plain : plain.withXmp(withXmp(xmp))).toBuffer(),
    )
    expect((await read(app, id)).result.provenance).toEqual({ digitalSourceType: type })
    const query = `query ($id: ID!) { swapJob(id: $id) { result { copy { whole: url small: url(width: 60)
      jpeg: url(format: JPEG) png: url(format: PNG) webp: url(format: WEBP) smallWebp: url(width: 30, format: WEBP) } } } }`
    const { data } = await app.graphql(query, { id })
    for (const address of Object.values<string>(data.swapJob.result.copy)) {
      const { xmpAsString = '', exif } = await sharp(await (await fetch(address)).arrayBuffer()).metadata()
      for (const text of [`DigitalSourceType="${type}"`, ...others]) expect(xmpAsString).toContain(text)
      expect([xmpAsString.includes('canary'), exif]).toEqual([false, undefined])
    }
  })

  test('is copied before its job is reported as done, and works after the upstream’s links are gone', async () => {
    const { app, host, id } = await finish()
    await host.close()
    const { result } = await read(app, id)
    expect(result.copy).toMatchObject({ contentType: 'image/jpeg', width: 120, height: 90, sha256: expect.any(String) })
    expect(result.url).toBe(result.copy.url)
    const served = Buffer.from(await (await fetch(result.url)).arrayBuffer())
    expect([sha256(served), served.byteLength]).toEqual([result.copy.sha256, result.copy.byteLength])
  })

  test('is scaled and re-encoded on demand, once', async () => {
    const { app, id } = await finish()
    const query = 'query ($id: ID!) { swapJob(id: $id) { result { copy { url(width: 60, format: WEBP) } } } }'
    const { data } = await app.graphql(query, { id })
    const address = data.swapJob.result.copy.url
    const answers = await Promise.all(
      [1, 2, 3].map(async () => Buffer.from(await (await fetch(address)).arrayBuffer())),
    )
    // The next larger view width.
    expect(await sharp(answers[0]).metadata()).toMatchObject({ format: 'webp', width: 64, height: 48 })
    expect(new Set(answers.map(sha256)).size).toBe(1)
  })

  test('can be used for another swap by the id of its job', async () => {
    const { app, id } = await finish()
    const { job } = await create(app, { resultOf: id })
    expect(job.targetImage).toMatchObject({ kind: 'RESULT', resultOf: { id } })
    expect(app.upstream.accepted[1]?.targetImage).toMatch(/^https:\/\/gateway\.example\/images\/img_/)
    const refused = await create(app, { resultOf: job.id })
    expect(refused.issues).toMatchObject([{ path: ['input', 'targetImage', 'resultOf'], code: 'JOB_NOT_SUCCESSFUL' }])
  })

  test('that cannot be copied does not change its job, and the reason is logged', async () => {
    const { app, id } = await finish({}, () => 'https://elsewhere.example.org/x.jpg')
    const { status, result } = await read(app, id)
    expect([status, result.copy, result.url]).toEqual(['SUCCESS', null, 'https://elsewhere.example.org/x.jpg'])
    const failed = app.events.find(({ name }) => name === 'mirrorFailed')
    const reason = 'The result is at a host where the upstream is not known to keep results.'
    expect(failed?.args[1]).toEqual({ code: 'HOST_NOT_KNOWN', reason, isFinal: true })
    expect([result.copyFailure, result.provenance]).toEqual([reason, null])
  })

  test('that is not an image is not stored', async () => {
    const host = await openScriptedHost((_request, response) => response.end('<html>not found</html>'))
    closeAfterTest(() => host.close())
    const app = await openApp({ ALLOWED_PRIVATE_HOSTS: host.host })
    const made = await create(app, face)
    const [accepted] = app.upstream.accepted
    if (!accepted) throw new Error('nothing was sent')
    accepted.state = { ...FINISHED, links: { cdnImage: `${host.url}/x.jpg` } }
    await app.upstream.sendHook(accepted)
    await until(async () => (await read(app, made.job.id)).status === 'SUCCESS')
    const { copy, copyFailure } = (await read(app, made.job.id)).result
    expect([copy, copyFailure]).toEqual([null, 'The result is a web page, not a JPEG, PNG or WebP image.'])
  })

  test('is forgotten with all images and texts, and the accounting stays', async () => {
    const { app, id } = await finish({ clientReference: 'ref', tags: ['a'] })
    const { result } = await read(app, id)
    const { data } = await app.graphql(
      'mutation ($ids: [ID!]!) { forgetSwaps(input: { ids: $ids }) { __typename ... on ForgetSwapsSuccess { jobs { id clientReference tags result { url } targetImage { url } forgottenAt charge { state } } } } }',
      { ids: [id] },
    )
    expect(data.forgetSwaps.jobs).toEqual([
      {
        id,
        clientReference: null,
        tags: [],
        result: null,
        targetImage: null,
        forgottenAt: expect.any(String),
        charge: { state: 'CHARGED' },
      },
    ])
    expect((await fetch(result.url)).status).toBe(404)
  })

  test('is not forgotten if any job of the request is unknown or unfinished', async () => {
    const { app, id } = await finish()
    const open = (await create(app, face)).job.id
    const FORGET =
      'mutation ($ids: [ID!]!) { forgetSwaps(input: { ids: $ids }) { __typename ... on SwapNotFoundError { ids } ... on SwapStateError { job { id } } } }'
    const answers = [
      (await app.graphql(FORGET, { ids: [id, 'job_none'] })).data.forgetSwaps,
      (await app.graphql(FORGET, { ids: [id, open] })).data.forgetSwaps,
    ]
    expect(answers).toEqual([
      { __typename: 'SwapNotFoundError', ids: ['job_none'] },
      { __typename: 'SwapStateError', job: { id: open } },
    ])
    expect((await read(app, id)).result).not.toBeNull()
  })

  test('is kept for the requested number of days', async () => {
    const { app, id } = await finish({ keepDays: 30 })
    const { purgeAt } = await read(app, id)
    expect(Math.round((Date.parse(purgeAt) - Date.now()) / 86_400_000)).toBe(30)
  })
})
