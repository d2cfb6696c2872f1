import type { CleanImage, StoredImage } from '../domain/image.ts'

/** What a READY image is, beside its bytes. */
export interface ImageRecord extends Omit<CleanImage, 'bytes' | 'digitalSourceType'> {
  readonly byteLength: number
  readonly sha256: string
  readonly sourceSha256: string
}

export interface ImageStore {
  /** Durable when it resolves. */
  addImage(image: StoredImage): Promise<void>
  /**
   * Adds an upload that awaits its bytes, unless the tenant has `max` such uploads that were created after `since`.
   * Durable when it resolves; exact for any number of calls and processes.
   */
  addUpload(image: StoredImage, open: { readonly since: number; readonly max: number }): Promise<boolean>
  findImage(id: string): Promise<StoredImage | null>
  /** The tenant's own, in the order asked for; null for an unknown one, and for another tenant's. */
  findOwnImages(tenant: string, ids: readonly string[]): Promise<(StoredImage | null)[]>
  /** A READY upload of the tenant's whose bytes came with this digest. */
  findUploadBySource(tenant: string, sourceSha256: string): Promise<StoredImage | null>
  /** The bytes are kept: from AWAITING_BYTES to READY, once; null where it is anything else by then. */
  keepImage(id: string, kept: ImageRecord): Promise<StoredImage | null>
  rejectImage(id: string, rejection: string): Promise<StoredImage | null>
  /** Keeps it at least until then. */
  extendImage(id: string, purgeAt: number): Promise<void>
  /** Its time is over at once. */
  expireImage(id: string, now: number): Promise<void>
  /** Whether a job that is not forgotten was made with this upload. */
  isInUse(uploadId: string): Promise<boolean>
  /** Images whose time is over, and whose bytes may still be there. */
  listDue(now: number, limit: number): Promise<readonly StoredImage[]>
  /** Its bytes are gone. */
  markPurged(id: string): Promise<void>
}
