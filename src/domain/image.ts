/** The words for images that the gateway keeps: what callers have put here, and copies of results. */

export type ImageKind = 'UPLOAD' | 'COPY'

export const IMAGE_STATUSES = ['AWAITING_BYTES', 'READY', 'REJECTED', 'PURGED'] as const
/** READY: its bytes are kept. REJECTED and PURGED are never left. */
export type ImageStatus = (typeof IMAGE_STATUSES)[number]

export const STORED_IMAGE_TYPES = ['image/jpeg', 'image/png', 'image/webp'] as const
export type StoredImageType = (typeof STORED_IMAGE_TYPES)[number]

/** One image. Sizes and digest are those of the bytes as they are kept, once it is READY; before, as announced. */
export interface StoredImage {
  readonly id: string
  readonly tenant: string
  readonly kind: ImageKind
  readonly status: ImageStatus
  readonly contentType: StoredImageType
  readonly byteLength: number
  readonly width: number | null
  readonly height: number | null
  readonly sha256: string | null
  /** Of the bytes as they came, hex: the same sent again is not kept twice. */
  readonly sourceSha256: string | null
  /** The IPTC digital source type in its metadata; null for an upload, and for copies older than the mark. */
  readonly digitalSourceType: string | null
  /** Why it was refused, for people. */
  readonly rejection: string | null
  readonly createdAt: number
  /** When it is erased. */
  readonly purgeAt: number
}

/** An image, decoded and encoded afresh. */
export interface CleanImage {
  readonly bytes: Uint8Array
  readonly contentType: StoredImageType
  readonly width: number
  readonly height: number
  /** The IPTC digital source type in its metadata; null if it has no metadata. */
  readonly digitalSourceType: string | null
}
