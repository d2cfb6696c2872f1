import type { CleanImage, StoredImage } from '../domain/image.ts'

/** The metadata of a READY image. */
export interface ImageRecord extends Omit<CleanImage, 'bytes' | 'digitalSourceType'> {
  readonly byteLength: number
  readonly sha256: string
  readonly sourceSha256: string
}

export interface ImageStore {
  /** Durable when it resolves. */
  addImage(image: StoredImage): Promise<void>
  /**
   * Adds an upload that awaits its bytes; false if the tenant already has `max` of these created after `since`.
   * Durable when it resolves; exact under concurrent calls, across processes.
   */
  addUpload(image: StoredImage, open: { readonly since: number; readonly max: number }): Promise<boolean>
  findImage(id: string): Promise<StoredImage | null>
  /** The tenant's images, in the order of `ids`; null for an unknown id or another tenant's image. */
  findOwnImages(tenant: string, ids: readonly string[]): Promise<(StoredImage | null)[]>
  /** The tenant's READY upload whose original bytes have this digest; null if there is none. */
  findUploadBySource(tenant: string, sourceSha256: string): Promise<StoredImage | null>
  /** Moves an image from AWAITING_BYTES to READY; null if it is in another state. */
  keepImage(id: string, kept: ImageRecord): Promise<StoredImage | null>
  rejectImage(id: string, rejection: string): Promise<StoredImage | null>
  /** Postpones the expiry to `purgeAt`, unless it is later already. */
  extendImage(id: string, purgeAt: number): Promise<void>
  /** Lets the image expire now. */
  expireImage(id: string, now: number): Promise<void>
  /** Whether a job that is not forgotten uses this upload. */
  isInUse(uploadId: string): Promise<boolean>
  /** Expired images whose bytes may still exist. */
  listDue(now: number, limit: number): Promise<readonly StoredImage[]>
  /** Records that the bytes were deleted. */
  markPurged(id: string): Promise<void>
}
