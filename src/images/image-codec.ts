import type { CleanImage, ImageKind, StoredImageType } from '../domain/image.ts'

/**
 * The bytes are not an image that can be stored. The message is a predicate without a full stop: "is a GIF image, …".
 */
export class ImageRejectedError extends Error {
  constructor(predicate: string) {
    super(predicate)
    this.name = 'ImageRejectedError'
  }
}

/**
 * Decodes and encodes off the event loop. The pixels being decoded are bounded; concurrent calls wait, and tenants take
 * turns.
 */
export interface ImageCodec {
  /**
   * Decodes an untrusted image within limits and encodes it again: upright, in sRGB, at most MAX_IMAGE_BYTES, only the
   * first frame of an animation. Removes metadata, and marks a COPY, which is a swap's result, as synthetic media.
   * @throws {ImageRejectedError}
   */
  clean(bytes: Uint8Array, kind: ImageKind, tenant: string): Promise<CleanImage>
  /** Scales a clean image down to a width, or encodes it in another format, or both. Keeps its mark. */
  transform(
    bytes: Uint8Array,
    wanted: { readonly width: number | null; readonly type: StoredImageType },
    tenant: string,
  ): Promise<Uint8Array>
}
