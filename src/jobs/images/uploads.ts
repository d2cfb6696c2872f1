/**
 * Uploads: a caller reserves one, then sends its bytes once. The gateway re-encodes the image and stores the result.
 */
import type { Viewer } from '../../auth/viewer.ts'
import { requireScope } from '../../auth/viewer.ts'
import { GatewayError } from '../../domain/errors.ts'
import type { StoredImage, StoredImageType } from '../../domain/image.ts'
import type { ImageCodec } from '../../images/image-codec.ts'
import { ImageRejectedError } from '../../images/image-codec.ts'
import type { Clock } from '../../lib/time/clock.ts'
import { createId } from '../../lib/crypto/ids.ts'
import { MAX_IMAGE_BYTES } from '../../lib/image/image-limits.ts'
import { sha256OfLarge } from '../../lib/crypto/sha256.ts'
import type { ImageStore } from '../../store/image-store.ts'
import type { Telemetry } from '../../telemetry/events.ts'
import type { ImageAddresses } from './image-addresses.ts'
import type { ImageLibrary } from './image-library.ts'

/** How long a reserved upload accepts its bytes. */
const PUT_WITHIN_MS = 15 * 60 * 1_000
/** Retention of an upload that no job uses. One that is in use is kept as long as its jobs. */
const KEPT_FOR_MS = 24 * 60 * 60 * 1_000
/** Reserved uploads of one tenant that wait for their bytes. */
const MAX_OPEN = 100

export interface UploadsParts {
  readonly images: ImageStore
  readonly library: ImageLibrary
  readonly codec: ImageCodec
  readonly addresses: ImageAddresses
  readonly telemetry: Pick<Telemetry, 'uploadReceived' | 'uploadFailed'>
  readonly clock: Pick<Clock, 'now'>
}

export interface UploadInput {
  readonly contentType: StoredImageType
  readonly byteLength: number
  /** Hex; null if the caller did not announce it. */
  readonly sha256: string | null
}

export type ReservedUpload =
  /** `put`: where to send the bytes; null if the gateway already has them. */
  | {
      readonly kind: 'reserved'
      readonly upload: StoredImage
      readonly put: { readonly url: string; readonly expiresAt: number } | null
    }
  | { readonly kind: 'tooLarge' | 'empty' | 'noDigest' }

export interface Uploads {
  /**
   * @throws {GatewayError} UNAVAILABLE if the storage is almost full or too many uploads are reserved, FORBIDDEN
   * without the scope.
   */
  reserve(viewer: Viewer, input: UploadInput): Promise<ReservedUpload>
  /** Finds an upload by its id; null if there is none. */
  find(id: string): Promise<StoredImage | null>
  /**
   * Stores the bytes, once: the upload becomes READY or REJECTED. If calls race, the first to finish decides, and the
   * rest return the upload in its current state.
   * @throws {GatewayError} UNAVAILABLE if the storage is almost full.
   */
  receive(upload: StoredImage, bytes: Uint8Array): Promise<StoredImage>
}

export function createUploads({ images, library, codec, addresses, telemetry, clock }: UploadsParts): Uploads {
  return {
    reserve: async (viewer, { contentType, byteLength, sha256: announced }) => {
      requireScope(viewer, 'swap:write')
      if (byteLength < 1) return { kind: 'empty' }
      if (byteLength > MAX_IMAGE_BYTES) return { kind: 'tooLarge' }
      if (announced !== null && !/^[0-9a-f]{64}$/i.test(announced)) return { kind: 'noDigest' }
      const digest = announced?.toLowerCase() ?? null
      const now = clock.now()
      const known = digest === null ? null : await images.findUploadBySource(viewer.tenant, digest)
      if (known) {
        await images.extendImage(known.id, now + KEPT_FOR_MS)
        return {
          kind: 'reserved',
          upload: { ...known, purgeAt: Math.max(known.purgeAt, now + KEPT_FOR_MS) },
          put: null,
        }
      }
      await library.requireSpace()
      const upload: StoredImage = {
        id: createId('img', now),
        tenant: viewer.tenant,
        kind: 'UPLOAD',
        status: 'AWAITING_BYTES',
        contentType,
        byteLength,
        width: null,
        height: null,
        sha256: null,
        sourceSha256: digest,
        digitalSourceType: null,
        rejection: null,
        createdAt: now,
        purgeAt: now + KEPT_FOR_MS,
      }
      const isAdded = await images.addUpload(upload, { since: now - PUT_WITHIN_MS, max: MAX_OPEN })
      if (!isAdded) {
        const message = `${MAX_OPEN} uploads wait for their bytes. Send these, or wait until their addresses end.`
        throw new GatewayError('UNAVAILABLE', message)
      }
      const expiresAt = now + PUT_WITHIN_MS
      return { kind: 'reserved', upload, put: { url: addresses.uploadAddressOf(upload.id, expiresAt), expiresAt } }
    },

    find: async (id) => {
      const image = await images.findImage(id)
      return image?.kind === 'UPLOAD' ? image : null
    },

    receive: async (upload, bytes) => {
      if (upload.status !== 'AWAITING_BYTES') return upload
      const settled = async () => (await images.findImage(upload.id)) ?? upload
      try {
        const digest = await sha256OfLarge(bytes)
        if (upload.sourceSha256 !== null && upload.sourceSha256 !== digest) {
          throw new ImageRejectedError('does not have the SHA-256 that was announced')
        }
        await library.requireSpace()
        // The bytes determine the type, not what was announced.
        const clean = await codec.clean(bytes, 'UPLOAD', upload.tenant)
        const image = await library.putBytes(upload.id, clean, digest)
        const winner = await images.keepImage(upload.id, image)
        if (winner) {
          telemetry.uploadReceived(winner)
          return winner
        }
        const other = await settled()
        if (other.sha256 !== image.sha256) await library.discardBytes(upload.id, image.sha256)
        return other
      } catch (error) {
        if (!(error instanceof ImageRejectedError)) {
          telemetry.uploadFailed(error)
          throw error
        }
        const rejected = await images.rejectImage(upload.id, `It ${error.message}.`)
        if (rejected) telemetry.uploadReceived(rejected)
        return rejected ?? (await settled())
      }
    },
  }
}
