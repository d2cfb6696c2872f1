/**
 * Stores images: first the bytes, then the row that names them; deletes them in the reverse order. A crash in between leaves
 * bytes without a row, which the next sweep deletes, and never a row without bytes.
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

/** Views created concurrently, at most half of them for one tenant: each holds a whole image in memory. */
const MAX_TRANSFORMS = 2
/** Views of one tenant that may wait to be created. */
const MAX_WAITING_VIEWS = 32
const VIEW_LIMITS = { maxBytesPerTenant: 500_000_000, maxBytes: 4_000_000_000, maxAgeMs: 24 * 60 * 60 * 1_000 }
/** Free space reserved for the database and everything else. */
const DISK_RESERVE_BYTES = 500 * 1024 * 1024
/** Bytes are stored shortly before their row. Bytes without a row for this long were left by a crash. */
const ORPHAN_AFTER_MS = 60 * 60 * 1_000
const PAGE = 200
/** The blob name of images that older versions stored. */
const OLD_NAME = 'original'
const VIEW_NAME = /\.(?:jpeg|png|webp)$/

export interface ImageLibraryParts {
  readonly images: ImageStore
  readonly blobs: BlobStore
  readonly codec: ImageCodec
  readonly clock: Pick<Clock, 'now'>
}

export class ImageLibrary {
  readonly #parts: ImageLibraryParts
  /** Views being created, by key. */
  readonly #making = new Map<string, Promise<boolean>>()
  readonly #transforms = new Semaphore(MAX_TRANSFORMS, MAX_TRANSFORMS / 2)
  readonly #views = new ViewIndex(VIEW_LIMITS)
  /** Counted by each sweep, and updated when images are stored or purged. Null before the first sweep. */
  #storedBytes: number | null = null

  constructor(parts: ImageLibraryParts) {
    this.#parts = parts
  }

  /** Size of all images and views; null until they have been counted. An estimate that each sweep corrects. */
  get storedBytes(): number | null {
    return this.#storedBytes
  }

  /** @throws {GatewayError} UNAVAILABLE if the blob store has less free space than the reserve. */
  async requireSpace(): Promise<void> {
    const free = await this.#parts.blobs.freeBytes()
    if (free !== null && free < DISK_RESERVE_BYTES) {
      throw new GatewayError('UNAVAILABLE', 'The image storage is almost full. Try again later.')
    }
  }

  /**
   * Stores the bytes of an image whose row exists or is about to. Writers of different bytes use different names, and
   * the row decides which are served.
   * @param sourceSha256 digest of the file that the image was encoded from.
   * @throws {GatewayError} UNAVAILABLE, as `requireSpace` does.
   */
  async putBytes(
    id: string,
    { bytes, contentType, width, height }: CleanImage,
    sourceSha256: string,
  ): Promise<ImageRecord> {
    await this.requireSpace()
    const name = await sha256OfLarge(bytes)
    await this.#parts.blobs.put(`${id}/${name}`, bytes, contentType)
    this.#addStored(bytes.byteLength)
    faultPoint('image-put')
    return { contentType, width, height, byteLength: bytes.byteLength, sha256: name, sourceSha256 }
  }

  /** Deletes the bytes of a writer that lost the race. */
  async discardBytes(id: string, sha256: string): Promise<void> {
    await this.#parts.blobs.delete(`${id}/${sha256}`)
  }

  /**
   * Opens a READY image in the wanted view; null if its bytes are gone. A view is made once and stored until it is evicted.
   * @throws {GatewayError} UNAVAILABLE if too many views of the tenant wait, or there is no space for a new one.
   */
  async open(image: StoredImage, view: ImageView, range?: ByteRange): Promise<OpenBlob | null> {
    const { blobs, clock } = this.#parts
    const isOriginal = view.type === image.contentType && (view.width === null || view.width >= (image.width ?? 0))
    if (isOriginal) return this.#openOriginal(image, range)
    const key = `${image.id}/${view.width ?? 'full'}.${view.type.split('/')[1]}`
    const found = await blobs.open(key, range)
    if (found) {
      this.#views.record(image.tenant, key, { byteLength: found.byteLength, usedAt: clock.now() })
      return found
    }
    const made = this.#making.get(key) ?? this.#makeView(image, view, key).finally(() => this.#making.delete(key))
    this.#making.set(key, made)
    return (await made) ? blobs.open(key, range) : null
  }

  /** Erases the bytes and the views, then marks the row. */
  async purge(image: StoredImage): Promise<void> {
    const { blobs, images } = this.#parts
    const found = await this.#listBlobs(image.id)
    const keys = found.map(({ key }) => key)
    for (const { key, byteLength } of found) {
      await blobs.delete(key)
      this.#addStored(-byteLength)
    }
    this.#views.forget(image.tenant, keys)
    await images.markPurged(image.id)
  }

  /** Deletes bytes that no row names, and views that were not used for a day. */
  async sweepOrphans(): Promise<void> {
    const { blobs, clock } = this.#parts
    await blobs.sweep()
    const before = clock.now() - ORPHAN_AFTER_MS
    let storedBytes = 0
    for (let after: string | null = null; ;) {
      const page: Awaited<ReturnType<BlobStore['list']>> = await blobs.list(after, PAGE)
      for (const blob of page) {
        if (await this.#sweepBlob(blob, before)) storedBytes += blob.byteLength
      }
      after = page.at(-1)?.key ?? null
      if (after === null) break
    }
    this.#storedBytes = storedBytes
    await this.#evictViews()
  }

  #addStored(bytes: number): void {
    if (this.#storedBytes !== null) this.#storedBytes = Math.max(0, this.#storedBytes + bytes)
  }

  async #openOriginal({ id, sha256: name }: StoredImage, range?: ByteRange): Promise<OpenBlob | null> {
    const { blobs } = this.#parts
    const found = name === null ? null : await blobs.open(`${id}/${name}`, range)
    return found ?? blobs.open(`${id}/${OLD_NAME}`, range)
  }

  /** @returns false if the image has no bytes. */
  async #makeView(image: StoredImage, view: ImageView, key: string): Promise<boolean> {
    if (this.#transforms.countWaiting(image.tenant) >= MAX_WAITING_VIEWS) {
      throw new GatewayError('UNAVAILABLE', 'Too many images are being scaled. Try again in a moment.')
    }
    return this.#transforms.run(image.tenant, 1, async () => {
      const { blobs, codec, clock } = this.#parts
      await this.requireSpace()
      const original = await this.#openOriginal(image)
      const stored = original && (await readCapped(original.stream, MAX_IMAGE_BYTES))
      if (!stored) return false
      const bytes = await codec.transform(stored, view, image.tenant)
      await blobs.put(key, bytes, view.type)
      this.#addStored(bytes.byteLength)
      this.#views.record(image.tenant, key, { byteLength: bytes.byteLength, usedAt: clock.now() })
      await this.#evictViews()
      return true
    })
  }

  async #evictViews(): Promise<void> {
    const { blobs, clock } = this.#parts
    for (const key of this.#views.takeExcess(clock.now())) await blobs.delete(key)
  }

  /** The image's blobs, its views included. */
  async #listBlobs(id: string): Promise<readonly StoredBlob[]> {
    const blobs = await this.#parts.blobs.list(`${id}/`, PAGE)
    return blobs.filter(({ key }) => key.startsWith(`${id}/`))
  }

  /** Deletes an old blob if no row names it, and indexes a view. @returns whether the blob stays. */
  async #sweepBlob({ key, at, byteLength }: StoredBlob, before: number): Promise<boolean> {
    const { blobs, images } = this.#parts
    const [id = '', name = ''] = key.split('/')
    const isView = VIEW_NAME.test(name)
    if (at >= before && !isView) return true
    const image = await images.findImage(id)
    const isNamed = image?.status === 'READY' && (isView || name === image.sha256 || name === OLD_NAME)
    if (isNamed && isView) this.#views.record(image.tenant, key, { byteLength, usedAt: at })
    if (isNamed || at >= before) return true
    await blobs.delete(key)
    return false
  }
}
