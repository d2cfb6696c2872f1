/** Images that the gateway stores: uploads of callers, and copies of results. */

export type ImageKind = 'UPLOAD' | 'COPY'

export const IMAGE_STATUSES = ['AWAITING_BYTES', 'READY', 'REJECTED', 'PURGED'] as const
/** READY: the bytes are stored. REJECTED and PURGED are final. */
export type ImageStatus = (typeof IMAGE_STATUSES)[number]

export const STORED_IMAGE_TYPES = ['image/jpeg', 'image/png', 'image/webp'] as const
export type StoredImageType = (typeof STORED_IMAGE_TYPES)[number]

/** One image. Sizes and digest describe the stored bytes once it is READY; before, they are as announced. */
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
  /** Hex digest of the file before re-encoding. An upload that announces a known one reuses the stored image. */
  readonly sourceSha256: string | null
  /** The IPTC digital source type in its metadata; null for an upload, and for copies older than the mark. */
  readonly digitalSourceType: string | null
  /** Human-readable reason why it was rejected. */
  readonly rejection: string | null
  readonly createdAt: number
  /** When it is erased. */
  readonly purgeAt: number
}

/** An image after decoding and re-encoding. */
export interface CleanImage {
  readonly bytes: Uint8Array
  readonly contentType: StoredImageType
  readonly width: number
  readonly height: number
  /** The IPTC digital source type in its metadata; null if it has no metadata. */
  readonly digitalSourceType: string | null
}
