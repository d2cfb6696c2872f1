/**
 * Images and their bytes, kept together: the bytes first, then the row that says so, and the other way round when they
 * go. A crash in between leaves bytes without a row, which the next sweep finds, and never a row without bytes.
 */
import type { CleanImage, StoredImage } from '../../domain/image.ts'
import type { BlobStore, ByteRange, OpenBlob, StoredBlob } from '../../blob/blob-store.ts'
import { GatewayError } from '../../domain/errors.ts'
import type { ImageCodec } from '../../images/image-codec.ts'
import type { Clock } from '../../lib/time/clock.ts'
import { faultPoint } from '../../lib/fault-points.ts'
import { MAX_IMAGE_BYTES } from '../../lib/image/image-limits.ts'
import { readCapped } from '../../lib/http/read-capped.ts'
import { sha256OfLarge } from '../../lib/crypto/sha256.ts'
import { Semaphore } from '../../lib/async/semaphore.ts'
import type { ImageStore, ImageRecord } from '../../store/image-store.ts'
import type { ImageView } from './image-addresses.ts'
import { ViewIndex } from './view-index.ts'

/** Views that are made at one time, half of them for one tenant: each holds the bytes of a whole image. */
const MAX_TRANSFORMS = 2
/** Views of one tenant that wait to be made. */
const MAX_WAITING_VIEWS = 32
const VIEW_LIMITS = { maxBytesPerTenant: 500_000_000, maxBytes: 4_000_000_000, maxAgeMs: 24 * 60 * 60 * 1_000 }
/** Free space that is left for the database and everything else. */
const DISK_RESERVE_BYTES = 500 * 1024 * 1024
/** Bytes are younger than their row for a moment; older ones without a row were left by a crash. */
const ORPHAN_AFTER_MS = 60 * 60 * 1_000
const PAGE = 200
/** The name that the bytes of older images have. */
const OLD_NAME = 'original'
const VIEW_NAME = /\.(?:jpeg|png|webp)$/

export interface ImageLibraryParts {
  readonly images: ImageStore
  readonly blobs: BlobStore
  readonly codec: ImageCodec
  readonly clock: Pick<Clock, 'now'>
}

export interface ImageLibrary {
  /** @throws {GatewayError} UNAVAILABLE if the blob store has less free space than the reserve. */
  requireSpace(): Promise<void>
  /**
   * Stores the bytes of an image that has, or is about to have, a row of this id, under a name of their own: of two
   * writers of one image the row says whose bytes are served.
   * @param sourceSha256 digest of the file that the image was made of.
   * @throws {GatewayError} UNAVAILABLE, as `requireSpace` does.
   */
  putBytes(id: string, image: CleanImage, sourceSha256: string): Promise<ImageRecord>
  /** Deletes the bytes of a writer that came second. */
  discardBytes(id: string, sha256: string): Promise<void>
  /**
   * Opens a READY image in the wanted view; null if its bytes are gone. A view is made once and stored until it is evicted.
   * @throws {GatewayError} UNAVAILABLE if too many views of the tenant wait, or there is no space for a new one.
   */
  open(image: StoredImage, view: ImageView, range?: ByteRange): Promise<OpenBlob | null>
  /** Erases bytes and views, then says so. */
  purge(image: StoredImage): Promise<void>
  /** Deletes bytes that no row names, and views that were not used for a day. */
  sweepOrphans(): Promise<void>
}

export function createImageLibrary({ images, blobs, codec, clock }: ImageLibraryParts): ImageLibrary {
  const making = new Map<string, Promise<boolean>>()
  const transforms = new Semaphore(MAX_TRANSFORMS, MAX_TRANSFORMS / 2)
  const views = new ViewIndex(VIEW_LIMITS)

  const requireSpace = async () => {
    const free = await blobs.freeBytes()
    if (free !== null && free < DISK_RESERVE_BYTES) {
      throw new GatewayError('UNAVAILABLE', 'There is hardly any space left for images. Try again later.')
    }
  }

  const openOriginal = async ({ id, sha256: name }: StoredImage, range?: ByteRange) =>
    (name === null ? null : await blobs.open(`${id}/${name}`, range)) ?? blobs.open(`${id}/${OLD_NAME}`, range)

  const evictViews = async () => {
    for (const key of views.takeExcess(clock.now())) await blobs.delete(key)
  }

  /** @returns false if the image has no bytes. */
  const makeView = async (image: StoredImage, view: ImageView, key: string): Promise<boolean> => {
    if (transforms.countWaiting(image.tenant) >= MAX_WAITING_VIEWS) {
      throw new GatewayError('UNAVAILABLE', 'Too many images are being scaled at one time. Try again in a moment.')
    }
    return transforms.run(image.tenant, 1, async () => {
      await requireSpace()
      const original = await openOriginal(image)
      const stored = original && (await readCapped(original.stream, MAX_IMAGE_BYTES))
      if (!stored) return false
      const bytes = await codec.transform(stored, view, image.tenant)
      await blobs.put(key, bytes, view.type)
      views.note(image.tenant, key, { byteLength: bytes.byteLength, usedAt: clock.now() })
      await evictViews()
      return true
    })
  }

  /** Blobs of the image, its views included. */
  const listBlobs = async (id: string) =>
    (await blobs.list(`${id}/`, PAGE)).map(({ key }) => key).filter((key) => key.startsWith(`${id}/`))

  /** Deletes an old blob if no row names it, and takes note of a view. */
  const sweepBlob = async ({ key, at, byteLength }: StoredBlob, before: number) => {
    const [id = '', name = ''] = key.split('/')
    const isView = VIEW_NAME.test(name)
    if (at >= before && !isView) return
    const image = await images.findImage(id)
    const isNamed = image?.status === 'READY' && (isView || name === image.sha256 || name === OLD_NAME)
    if (isNamed && isView) views.note(image.tenant, key, { byteLength, usedAt: at })
    if (!isNamed && at < before) await blobs.delete(key)
  }

  return {
    requireSpace,

    putBytes: async (id, { bytes, contentType, width, height }, sourceSha256) => {
      await requireSpace()
      const name = await sha256OfLarge(bytes)
      await blobs.put(`${id}/${name}`, bytes, contentType)
      faultPoint('image-put')
      return { contentType, width, height, byteLength: bytes.byteLength, sha256: name, sourceSha256 }
    },

    discardBytes: async (id, name) => blobs.delete(`${id}/${name}`),

    open: async (image, view, range) => {
      const isOriginal = view.type === image.contentType && (view.width === null || view.width >= (image.width ?? 0))
      if (isOriginal) return openOriginal(image, range)
      const key = `${image.id}/${view.width ?? 'full'}.${view.type.split('/')[1]}`
      const found = await blobs.open(key, range)
      if (found) {
        views.note(image.tenant, key, { byteLength: found.byteLength, usedAt: clock.now() })
        return found
      }
      const made = making.get(key) ?? makeView(image, view, key).finally(() => making.delete(key))
      making.set(key, made)
      return (await made) ? blobs.open(key, range) : null
    },

    purge: async (image) => {
      const keys = await listBlobs(image.id)
      for (const key of keys) await blobs.delete(key)
      views.forget(image.tenant, keys)
      await images.markPurged(image.id)
    },

    sweepOrphans: async () => {
      await blobs.sweep()
      const before = clock.now() - ORPHAN_AFTER_MS
      for (let after: string | null = null; ;) {
        const page: Awaited<ReturnType<BlobStore['list']>> = await blobs.list(after, PAGE)
        for (const blob of page) await sweepBlob(blob, before)
        after = page.at(-1)?.key ?? null
        if (after === null) break
      }
      await evictViews()
    },
  }
}
