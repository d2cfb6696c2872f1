/**
 * Images and their bytes, kept together: the bytes first, then the row that says so, and the other way round when they
 * go. A crash in between leaves bytes without a row, which the next sweep finds, and never a row without bytes.
 */
import { createHash } from 'node:crypto'
import type { CleanImage, StoredImage } from '../domain/image.ts'
import type { BlobStore, ByteRange, OpenBlob } from '../blob/blob-store.ts'
import type { ImageCodec } from '../images/image-codec.ts'
import type { Clock } from '../lib/clock.ts'
import { faultPoint } from '../lib/fault-points.ts'
import { Semaphore } from '../lib/semaphore.ts'
import type { ImageStore, KeptImage } from '../store/image-store.ts'
import type { ImageView } from './image-addresses.ts'

/** Views that are made at one time: each holds the bytes of a whole image. */
const MAX_TRANSFORMS = 2
/** Bytes are younger than their row for a moment; older ones without a row were left by a crash. */
const ORPHAN_AFTER_MS = 60 * 60 * 1_000
const PAGE = 200

export interface KeptImagesParts {
  readonly images: ImageStore
  readonly blobs: BlobStore
  readonly codec: ImageCodec
  readonly clock: Pick<Clock, 'now'>
}

export interface KeptImages {
  /** Keeps the bytes of an image that has, or is about to have, a row of this id. */
  putBytes(id: string, image: CleanImage, source: Uint8Array): Promise<KeptImage>
  /** A READY image as it is wanted; null where its bytes are gone. A view is made once, and kept. */
  open(image: StoredImage, view: ImageView, range?: ByteRange): Promise<OpenBlob | null>
  /** Erases bytes and views, then says so. */
  purge(image: StoredImage): Promise<void>
  /** Erases bytes that no row speaks of. */
  sweepOrphans(): Promise<void>
}

export function createKeptImages({ images, blobs, codec, clock }: KeptImagesParts): KeptImages {
  const making = new Map<string, Promise<boolean>>()
  const transforms = new Semaphore(MAX_TRANSFORMS)

  /** @returns false where there is nothing to make it of. */
  const makeView = async (image: StoredImage, view: ImageView, key: string): Promise<boolean> =>
    transforms.run(1, async () => {
      const original = await blobs.open(originalOf(image.id))
      if (!original) return false
      const bytes = await readAll(original)
      await blobs.put(key, await codec.transform(bytes, view), view.type)
      return true
    })

  const purgeBytes = async (id: string) => {
    for (const { key } of await blobs.list(`${id}/`, PAGE)) {
      if (!key.startsWith(`${id}/`)) return
      await blobs.delete(key)
    }
  }

  return {
    putBytes: async (id, { bytes, contentType, width, height }, source) => {
      await blobs.put(originalOf(id), bytes, contentType)
      faultPoint('image-put')
      const byteLength = bytes.byteLength
      return { contentType, width, height, byteLength, sha256: sha256(bytes), sourceSha256: sha256(source) }
    },

    open: async (image, view, range) => {
      const isOriginal = view.type === image.contentType && (view.width === null || view.width >= (image.width ?? 0))
      if (isOriginal) return blobs.open(originalOf(image.id), range)
      const key = `${image.id}/${view.width ?? 'full'}.${view.type.split('/')[1]}`
      const found = await blobs.open(key, range)
      if (found) return found
      const made = making.get(key) ?? makeView(image, view, key).finally(() => making.delete(key))
      making.set(key, made)
      return (await made) ? blobs.open(key, range) : null
    },

    purge: async (image) => {
      await purgeBytes(image.id)
      await images.notePurged(image.id)
    },

    sweepOrphans: async () => {
      await blobs.sweep()
      const before = clock.now() - ORPHAN_AFTER_MS
      for (let after: string | null = null; ;) {
        const page: Awaited<ReturnType<BlobStore['list']>> = await blobs.list(after, PAGE)
        for (const { key, at } of page) {
          const image = at < before ? await images.findImage(key.split('/')[0] ?? '') : null
          if (at < before && image?.status !== 'READY') await blobs.delete(key)
        }
        after = page.at(-1)?.key ?? null
        if (after === null) return
      }
    },
  }
}

function originalOf(id: string): string {
  return `${id}/original`
}

async function readAll({ stream, byteLength }: OpenBlob): Promise<Uint8Array> {
  const chunks: Uint8Array[] = await stream.toArray()
  return Buffer.concat(chunks, byteLength)
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
