/** Limits on uploads and images of one tenant, which do not affect other tenants. */
import { request as requestHttp } from 'node:http'
import { expect, test } from 'vitest'
import { createImageAddresses } from '../../src/jobs/images/image-addresses.ts'
import type { Clock } from '../../src/lib/time/clock.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { createFastClock } from '../support/fast-clock.ts'
import { makeImage } from '../support/images.ts'
import { sha256 } from '../../src/lib/crypto/sha256.ts'
import { openTestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const SECRET = 'a secret for all processes'
const RESERVE = `mutation ($byteLength: Int!) {
  createSwapUpload(input: { contentType: IMAGE_JPEG, byteLength: $byteLength }) {
    ... on CreateSwapUploadSuccess { upload { id } put { url } }
  }
}`

async function openStage(settings: Record<string, string> = {}, clock?: Clock) {
  const keys = ['a', 'b'].map((tenant) => `${tenant}:${sha256(`key of ${tenant}`)}`).join(',')
  const { graphql, app } = await openTestApp({
    settings: { API_KEYS: keys, GATEWAY_SECRET: SECRET, ...settings },
    ...(clock && { clock }),
  })
  const reserve = async (tenant: 'a' | 'b', byteLength: number) =>
    graphql(RESERVE, { byteLength }, { 'x-api-key': `key of ${tenant}` })
  const reserved = async (tenant: 'a' | 'b', byteLength: number) => {
    const { upload, put } = (await reserve(tenant, byteLength)).data.createSwapUpload
    return { id: String(upload.id), url: String(put.url) }
  }
  const put = async (url: string, bytes: Buffer) =>
    (await fetch(url, { method: 'PUT', body: new Uint8Array(bytes) })).status
  const image = async (tenant: 'a' | 'b', id: string, query = '') =>
    fetch(`${app.url}/images/${id}.jpg${query}`, { headers: { 'x-api-key': `key of ${tenant}` } })
  /** Returns an address that works without credentials. */
  const signed = (id: string) =>
    createImageAddresses(app.url, [SECRET]).addressOf({ id, type: 'image/jpeg', width: null }, Date.now() + 3_600_000)
  return { reserve, reserved, put, image, signed }
}

/** Sends one byte of an upload, then nothing. @returns the status of the response. */
function stall(url: string, byteLength: number) {
  let status: number | null = null
  const request = requestHttp(url, { method: 'PUT', headers: { 'content-length': byteLength } }, (response) => {
    status = response.statusCode ?? 0
    response.resume()
  })
  request.on('error', () => {}).write('x')
  closeAfterTest(() => void request.destroy())
  return () => status
}

test('slow uploads of one tenant do not block those of another, and are ended', async () => {
  const { reserved, put } = await openStage({}, createFastClock(5))
  const bytes = await makeImage()
  const targets = await Promise.all(Array.from({ length: 8 }, async () => reserved('a', 20_000_000)))
  const stalled = targets.map(({ url }) => stall(url, 20_000_000))
  await until(() => stalled.some((status) => status() === 503))
  const other = await reserved('b', bytes.byteLength)
  expect(await put(other.url, bytes)).toBe(200)
  await until(() => stalled.every((status) => status() !== null))
  expect(stalled.map((status) => status()).toSorted((a, b) => Number(a) - Number(b))).toEqual([
    408, 408, 503, 503, 503, 503, 503, 503,
  ])
})

test('a tenant has at most 100 open reservations, however many it requests at once', async () => {
  const { reserve, reserved, put } = await openStage()
  const bytes = await makeImage()
  const first = await reserved('a', bytes.byteLength)
  const answers = await Promise.all(Array.from({ length: 120 }, async () => reserve('a', 1_000)))
  const refused = answers.filter(({ errors }) => errors?.[0]?.extensions?.code === 'UNAVAILABLE')
  expect(refused).toHaveLength(21)
  expect((await reserve('b', 1_000)).errors).toBeUndefined()
  expect(await put(first.url, bytes)).toBe(200)
  expect((await reserve('a', 1_000)).errors).toBeUndefined()
})

test('requests for images count as requests of the tenant', async () => {
  const { reserved, put, image } = await openStage({ TENANT_REQUESTS_PER_MINUTE: '5' })
  const bytes = await makeImage()
  const { id, url } = await reserved('a', bytes.byteLength)
  expect(await put(url, bytes)).toBe(200)
  const statuses: number[] = []
  for (let n = 0; n < 5; n++) statuses.push((await image('a', id)).status)
  expect(statuses).toEqual([200, 200, 200, 200, 429])
})

test('requests with signed addresses are counted separately from those with credentials', async () => {
  const { reserved, put, image, signed } = await openStage({ TENANT_REQUESTS_PER_MINUTE: '6' })
  const bytes = await makeImage()
  const { id, url } = await reserved('a', bytes.byteLength)
  expect(await put(url, bytes)).toBe(200)
  const address = signed(id)
  const statuses: number[] = []
  for (let n = 0; n < 7; n++) statuses.push((await fetch(address)).status)
  expect(statuses).toEqual([200, 200, 200, 200, 200, 200, 429])
  const refused = await fetch(address)
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(await refused.json()).toEqual({
    error: { code: 'RATE_LIMITED', message: expect.stringContaining('More than 6 images') },
  })
  expect((await image('a', id)).status).toBe(200)
})

test('every requested width is served as one of a few views', async () => {
  const { reserved, put, image } = await openStage()
  const bytes = await makeImage('jpeg', 700, 20)
  const { id, url } = await reserved('a', bytes.byteLength)
  expect(await put(url, bytes)).toBe(200)
  const etags = new Set<string | null>()
  for (let width = 1; width <= 700; width += 13) {
    const response = await image('a', id, `?w=${width}`)
    await response.arrayBuffer()
    etags.add(response.headers.get('etag'))
  }
  expect(etags.size).toBe(5)
})
