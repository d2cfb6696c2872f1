/** Stored bytes and rows of images that disagree after a failure. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import { openDiskBlobStore } from '../../../src/blob/disk.ts'
import { createImageHandler } from '../../../src/http/images.ts'
import { createSharpCodec } from '../../../src/images/sharp.ts'
import { createImageAddresses } from '../../../src/jobs/images/image-addresses.ts'
import { ImageLibrary } from '../../../src/jobs/images/image-library.ts'
import { createUploads } from '../../../src/jobs/images/uploads.ts'
import { createRequestLimiter } from '../../../src/limits/request-limiter.ts'
import { createId } from '../../../src/lib/crypto/ids.ts'
import { createImageStore } from '../../../src/store/sql/image-store.ts'
import { openDatabase } from '../../../src/store/sqlite/engine.ts'
import type { StoredImage, StoredImageType } from '../../../src/domain/image.ts'
import { silentTelemetry } from '../../../src/telemetry/combine.ts'
import { closeAfterTest } from '../../support/close-after-test.ts'
import { sha256 } from '../../../src/lib/crypto/sha256.ts'
import { makeDataDir } from '../../support/test-app.ts'

const HOUR = 60 * 60 * 1_000

async function openStage() {
  const engine = await openDatabase(':memory:', () => {})
  closeAfterTest(() => engine.db.destroy())
  const images = createImageStore(engine)
  const blobs = openDiskBlobStore(join(await makeDataDir(), 'images'))
  let ahead = 0
  const clock = { now: () => Date.now() + ahead }
  const codec = createSharpCodec()
  const library = new ImageLibrary({ images, blobs, codec, clock })
  const source = await sharp({ create: { width: 40, height: 30, channels: 3, background: '#abc' } })
    .jpeg()
    .toBuffer()
  /** Stores the bytes of an image, and its row if `hasRow`. */
  const put = async (id: string, hasRow: boolean): Promise<StoredImage> => {
    const facts = await library.putBytes(id, await codec.clean(source, 'UPLOAD', 'a'), sha256(source))
    const image: StoredImage = {
      ...facts,
      id,
      tenant: 'a',
      kind: 'UPLOAD',
      status: 'READY',
      digitalSourceType: null,
      rejection: null,
      createdAt: 0,
      purgeAt: Number.MAX_SAFE_INTEGER,
    }
    if (hasRow) await images.addImage(image)
    return image
  }
  const keys = async () => (await blobs.list(null, 100)).map(({ key }) => key)
  return {
    images,
    blobs,
    source,
    clock,
    codec,
    library,
    put,
    keys,
    pass: (ms: number) => {
      ahead += ms
    },
  }
}

test('only blobs without a database row are deleted, once they are old', async () => {
  const { library, put, keys, pass } = await openStage()
  const [a, b] = [await put('img_a', true), await put('img_b', false)]
  await library.sweepOrphans()
  expect(await keys()).toEqual([`img_a/${a.sha256}`, `img_b/${b.sha256}`])
  pass(2 * HOUR)
  await library.sweepOrphans()
  expect(await keys()).toEqual([`img_a/${a.sha256}`])
})

test('the size of the stored images is counted by a sweep, and kept until the next one', async () => {
  const { library, put, pass } = await openStage()
  const [a, orphan] = [await put('img_a', true), await put('img_b', false)]
  expect(library.storedBytes).toBeNull()
  await library.sweepOrphans()
  expect(library.storedBytes).toBe(a.byteLength + orphan.byteLength)
  const c = await put('img_c', true)
  expect(library.storedBytes).toBe(a.byteLength + orphan.byteLength + c.byteLength)
  await library.purge(a)
  expect(library.storedBytes).toBe(orphan.byteLength + c.byteLength)
  pass(2 * HOUR)
  await library.sweepOrphans()
  expect(library.storedBytes).toBe(c.byteLength)
})

test('purging an image deletes all its views, and sets its row to PURGED', async () => {
  const { images, library, put, keys } = await openStage()
  const [image, other] = [await put('img_a', true), await put('img_b', true)]
  for (const width of [10, 20]) {
    const view = await library.open(image, { id: image.id, type: 'image/webp', width })
    view?.stream.destroy()
  }
  expect(await keys()).toHaveLength(4)
  await library.purge(image)
  expect(await keys()).toEqual([`img_b/${other.sha256}`])
  expect([(await images.findImage(image.id))?.status, (await images.findImage(other.id))?.status]).toEqual([
    'PURGED',
    'READY',
  ])
})

test('a view that is requested many times at once is made once', async () => {
  const { library, put, keys } = await openStage()
  const image = await put('img_a', true)
  const view = { id: image.id, type: 'image/png', width: 10 } as const
  const opened = await Promise.all(Array.from({ length: 10 }, async () => library.open(image, view)))
  for (const blob of opened) blob?.stream.destroy()
  expect(new Set(opened.map((blob) => blob?.byteLength)).size).toBe(1)
  expect(await keys()).toEqual(['img_a/10.png', `img_a/${image.sha256}`])
})

test('an image of an earlier version is served from its old name', async () => {
  const { blobs, library, put, keys } = await openStage()
  const image = await put('img_a', true)
  const opened = await library.open(image, { id: image.id, type: image.contentType, width: null })
  const bytes = Buffer.concat(await (opened?.stream ?? Readable.from([])).toArray())
  await blobs.delete(`img_a/${image.sha256}`)
  await blobs.put('img_a/original', bytes, image.contentType)
  const again = await library.open(image, { id: image.id, type: 'image/webp', width: 10 })
  again?.stream.destroy()
  expect([again?.byteLength, await keys()]).toEqual([expect.any(Number), ['img_a/10.webp', 'img_a/original']])
})

test('a view that was not used for a day is deleted, and created again on demand', async () => {
  const { library, put, keys, pass } = await openStage()
  const image = await put('img_a', true)
  const openView = async (width: number) =>
    (await library.open(image, { id: image.id, type: 'image/png', width }))?.stream.destroy()
  await openView(10)
  await openView(20)
  pass(23 * HOUR)
  await openView(20)
  pass(2 * HOUR)
  await library.sweepOrphans()
  expect(await keys()).toEqual(['img_a/20.png', `img_a/${image.sha256}`])
  await openView(10)
  expect(await keys()).toContain('img_a/10.png')
})

test('after two writes of one upload only the bytes that the row names are stored', async () => {
  const { images, library, codec, source, clock, put, keys } = await openStage()
  const ready = await put('img_a', false)
  await library.discardBytes('img_a', ready.sha256 ?? '')
  const waiting: StoredImage = { ...ready, status: 'AWAITING_BYTES', sha256: null, sourceSha256: null, width: null }
  await images.addImage(waiting)
  const addresses = createImageAddresses('http://127.0.0.1', ['secret'])
  const uploads = createUploads({ images, library, codec, addresses, telemetry: silentTelemetry, clock })
  const other = await sharp(source).negate().jpeg().toBuffer()
  const answers = await Promise.all([source, other, source].map(async (bytes) => uploads.receive(waiting, bytes)))
  const row = await images.findImage('img_a')
  expect(answers.map((answer) => answer.sha256)).toEqual([row?.sha256, row?.sha256, row?.sha256])
  expect(await keys()).toEqual([`img_a/${row?.sha256}`])
})

test('nothing is stored when the blob store has less free space than the reserve', async () => {
  const { images, library, codec, source, clock, blobs, put, keys } = await openStage()
  const image = await put('img_a', true)
  const full = new ImageLibrary({ images, codec, clock, blobs: { ...blobs, freeBytes: async () => 400_000_000 } })
  const view = { id: image.id, type: 'image/png', width: 10 } as const
  await expect(full.open(image, view)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await expect(full.putBytes('img_b', await codec.clean(source, 'UPLOAD', 'a'), sha256(source))).rejects.toMatchObject({
    code: 'UNAVAILABLE',
  })
  expect(await keys()).toEqual([`img_a/${image.sha256}`])
  const original = await full.open(image, { ...view, type: image.contentType, width: null })
  original?.stream.destroy()
  expect(original).not.toBeNull()
  expect((await library.open(image, view))?.stream.destroy()).toBeDefined()
})

test('once the disk reserve is reached a new view is refused with 503 and a reason, and stored images are served', async () => {
  const { images, codec, clock, blobs, put, keys } = await openStage()
  const image = await put(createId('img', 0), true)
  const library = new ImageLibrary({ images, codec, clock, blobs: { ...blobs, freeBytes: async () => 400_000_000 } })
  const addresses = createImageAddresses('http://127.0.0.1', ['secret'])
  const handle = createImageHandler({
    addresses,
    findImage: images.findImage,
    library,
    authenticate: async () => null,
    limiter: createRequestLimiter(100, clock.now),
    now: clock.now,
  })
  const server = createServer((request, response) => {
    handle(request, response, request.url?.split('?')[0] ?? '').catch((error: unknown) => {
      // As in the router: a client may disconnect before the server has seen the end of its response.
      if (!response.destroyed) throw error
    })
  })
  server.listen(0, '127.0.0.1')
  closeAfterTest(async () => {
    server.close()
    await once(server, 'close')
  })
  await once(server, 'listening')
  const get = async (width: number | null, type: StoredImageType) => {
    const address = new URL(addresses.addressOf({ id: image.id, type, width }, clock.now() + HOUR))
    address.port = String((server.address() as AddressInfo).port)
    return fetch(address, { headers: { connection: 'close' } })
  }
  const refused = await get(10, 'image/png')
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
  expect(await refused.json()).toEqual({
    error: { code: 'UNAVAILABLE', message: 'The image storage is almost full. Try again later.' },
  })
  const stored = await get(null, 'image/jpeg')
  expect(stored.status).toBe(200)
  expect((await stored.arrayBuffer()).byteLength).toBe(image.byteLength)
  expect(await keys()).toEqual([`${image.id}/${image.sha256}`])
})
