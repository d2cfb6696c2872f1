/** Bytes and rows of images after things went wrong between the two. */
import { join } from 'node:path'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import { openDiskBlobStore } from '../../src/blob/disk.ts'
import { createSharpCodec } from '../../src/images/sharp.ts'
import { createKeptImages } from '../../src/jobs/kept-images.ts'
import { createImageStore } from '../../src/store/kysely-image-store.ts'
import { openDatabase } from '../../src/store/sqlite/open.ts'
import type { StoredImage } from '../../src/domain/image.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { makeDataDir } from '../support/test-app.ts'

const HOUR = 60 * 60 * 1_000

async function openStage() {
  const engine = await openDatabase(':memory:', () => {})
  closeAfterTest(() => engine.db.destroy())
  const images = createImageStore(engine)
  const blobs = openDiskBlobStore(join(await makeDataDir(), 'images'))
  let ahead = 0
  const clock = { now: () => Date.now() + ahead }
  const codec = createSharpCodec()
  const kept = createKeptImages({ images, blobs, codec, clock })
  const source = await sharp({ create: { width: 40, height: 30, channels: 3, background: '#abc' } })
    .jpeg()
    .toBuffer()
  /** Puts the bytes of an image, and its row unless it is to be missing. */
  const keep = async (id: string, hasRow: boolean): Promise<StoredImage> => {
    const facts = await kept.putBytes(id, await codec.clean(source, 'UPLOAD'), source)
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
    kept,
    keep,
    keys,
    pass: (ms: number) => {
      ahead += ms
    },
  }
}

test('bytes without a row are swept once they are old, and no others', async () => {
  const { kept, keep, keys, pass } = await openStage()
  await keep('img_a', true)
  await keep('img_b', false)
  await kept.sweepOrphans()
  expect(await keys()).toEqual(['img_a/original', 'img_b/original'])
  pass(2 * HOUR)
  await kept.sweepOrphans()
  expect(await keys()).toEqual(['img_a/original'])
})

test('an image goes with all its views, and its row says so', async () => {
  const { images, kept, keep, keys } = await openStage()
  const [image, other] = [await keep('img_a', true), await keep('img_b', true)]
  for (const width of [10, 20]) {
    const view = await kept.open(image, { id: image.id, type: 'image/webp', width })
    view?.stream.destroy()
  }
  expect(await keys()).toHaveLength(4)
  await kept.purge(image)
  expect(await keys()).toEqual(['img_b/original'])
  expect([(await images.findImage(image.id))?.status, (await images.findImage(other.id))?.status]).toEqual([
    'PURGED',
    'READY',
  ])
})

test('a view that many ask for at once is made once', async () => {
  const { kept, keep, keys } = await openStage()
  const image = await keep('img_a', true)
  const view = { id: image.id, type: 'image/png', width: 10 } as const
  const opened = await Promise.all(Array.from({ length: 10 }, async () => kept.open(image, view)))
  for (const blob of opened) blob?.stream.destroy()
  expect(new Set(opened.map((blob) => blob?.byteLength)).size).toBe(1)
  expect(await keys()).toEqual(['img_a/10.png', 'img_a/original'])
})
