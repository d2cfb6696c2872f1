import { stat } from 'node:fs/promises'
import { join } from 'node:path'

import { afterEach, expect, test } from 'vitest'

import { systemClock } from '../../../src/lib/time/clock.ts'
import { createClosers } from '../../../src/lib/async/closers.ts'
import { JPEG_START, openStage, type Fetched, type Stage } from './support/swapface-stage.ts'

const DAY_MS = 86_400_000
const closers = createClosers()
afterEach(() => closers.closeAll())

function createAdjustableClock() {
  let aheadMs = 0
  return {
    ...systemClock,
    now: () => systemClock.now() + aheadMs,
    advance: (ms: number) => {
      aheadMs += ms
    },
  }
}

async function finishSwap(stage: Stage): Promise<NonNullable<Fetched['data']>> {
  const { data } = await stage.fetchDone(await stage.submit())
  if (data === null) throw new Error('the swap failed')
  return data
}

test('both links serve the image, to GET and HEAD, with type, length and validators and without CORS', async () => {
  const stage = await openStage(closers)
  const { discordImage, cdnImage } = await finishSwap(stage)
  for (const link of [discordImage, cdnImage]) {
    // oxlint-disable-next-line no-await-in-loop
    const [got, head] = await Promise.all([fetch(link), fetch(link, { method: 'HEAD' })])
    expect(got.status).toBe(200)
    // oxlint-disable-next-line no-await-in-loop
    expect(Buffer.from(await got.arrayBuffer()).equals(JPEG_START)).toBe(true)
    for (const { status, headers } of [got, head]) {
      expect(status).toBe(200)
      expect(headers.get('content-type')).toBe('image/jpeg')
      expect(headers.get('content-length')).toBe(String(JPEG_START.length))
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('access-control-allow-origin')).toBeNull()
      expect(headers.get('last-modified')).not.toBeNull()
    }
    const etag = got.headers.get('etag') ?? ''
    // oxlint-disable-next-line no-await-in-loop
    expect((await fetch(link, { headers: { 'if-none-match': etag } })).status).toBe(304)
  }
})

test('discordImage expires after a day, while cdnImage stays valid', async () => {
  const clock = createAdjustableClock()
  const stage = await openStage(closers, { clock })
  const { discordImage, cdnImage } = await finishSwap(stage)
  const { searchParams } = new URL(discordImage)
  const [ex, is] = ['ex', 'is'].map((name) => Number.parseInt(searchParams.get(name) ?? '', 16))
  expect(ex).toBe((is ?? 0) + 86_400)

  clock.advance(DAY_MS - 60_000)
  expect((await fetch(discordImage)).status).toBe(200)
  clock.advance(60_000)
  const ended = await fetch(discordImage)
  expect(ended.status).toBe(404)
  expect(await ended.text()).toBe('This content is no longer available.')
  expect((await fetch(cdnImage)).status).toBe(200)
})

test('a link is refused if any part of it was changed', async () => {
  const stage = await openStage(closers)
  const { discordImage, cdnImage } = await finishSwap(stage)
  expect((await fetch(discordImage.slice(0, -1))).status).toBe(200)
  const forged = [
    discordImage.replace(/ex=./, 'ex=7'),
    discordImage.replace(/is=[0-9a-f]+/, 'is=1'),
    discordImage.replace(/hm=[0-9a-f]{4}/, 'hm=0000'),
    discordImage.replace(/hm=[0-9a-f]+/, 'hm='),
    discordImage.replace(/\?.*/, ''),
    `${discordImage}x=1`,
    discordImage.replace(/attachments\/\d+/, 'attachments/1000000000000000000'),
  ]
  const codes = await Promise.all(forged.map(async (link) => (await fetch(link)).status))
  expect(codes).toEqual(forged.map(() => 403))

  const { origin } = new URL(cdnImage)
  const unknown = [
    cdnImage.replace(/[0-9a-f]{32}/, '0'.repeat(32)),
    cdnImage.replace('.jpg', '.png'),
    `${origin}/cdn/..%2f..%2flink-secret`,
    `${origin}/cdn/2026-01-01/../../../link-secret`,
    `${origin}/cdn/`,
    `${origin}/attachments/1/2/3_ins.jpg`,
  ]
  const answers = await Promise.all(unknown.map(async (link) => (await fetch(link)).status))
  expect(answers).toEqual(unknown.map(() => 404))
})

test('links are the same at each fetch and after a restart, below the current base URL', async () => {
  const stage = await openStage(closers)
  const jobId = await stage.submit()
  const before = await stage.fetchDone(jobId)
  const oldUrl = stage.face.url
  await stage.reopen()
  const after = await stage.fetchJob(jobId)
  expect(JSON.stringify(after).replaceAll(stage.face.url, oldUrl)).toBe(JSON.stringify(before))
  expect((await fetch(after.data?.discordImage ?? '')).status).toBe(200)
})

test('a result older than 30 days is refused, and removed at the next start', async () => {
  const clock = createAdjustableClock()
  const stage = await openStage(closers, { clock })
  const old = await stage.submit()
  const { data } = await stage.fetchDone(old)
  const cdnImage = data?.cdnImage ?? ''
  clock.advance(29 * DAY_MS)
  await stage.reopen()
  const retained = (await stage.fetchJob(old)).data?.cdnImage ?? ''
  expect((await fetch(retained)).status).toBe(200)

  clock.advance(2 * DAY_MS)
  expect((await fetch(retained)).status).toBe(404)
  await stage.reopen()
  await stage.face.close()
  await expect(stat(join(stage.dataDir, 'swapface', 'results', new URL(cdnImage).pathname.slice(5)))).rejects.toThrow(
    'ENOENT',
  )
  await stage.reopen()
  expect((await stage.post('/insightFace/v1/fetch', { jobId: old })).status).toBe(404)
})

test('only its owner can read the secret that signs links', async () => {
  const stage = await openStage(closers)
  const { mode } = await stat(join(stage.dataDir, 'swapface', 'link-secret'))
  expect(mode & 0o777).toBe(0o600)
})
