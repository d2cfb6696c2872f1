import type { CleanImage, ImageKind, StoredImageType } from '../domain/image.ts'

/** The bytes are no image that can be stored. The message is a predicate without a full stop: "is a GIF image, …". */
export class ImageRejectedError extends Error {
  constructor(predicate: string) {
    super(predicate)
    this.name = 'ImageRejectedError'
  }
}

/** Decoding and encoding, off the event loop. Any number of calls at once; the pixels being decoded are bounded, and tenants take turns. */
export interface ImageCodec {
  /**
   * Decodes an image from outside within limits and encodes it afresh: upright, in sRGB, within MAX_IMAGE_BYTES, of an
   * animation the first frame. Metadata is removed; a COPY, which is a swap's result, is marked as synthetic media.
   * @throws {ImageRejected}
   */
  clean(bytes: Uint8Array, kind: ImageKind, tenant: string): Promise<CleanImage>
  /** Scales a clean image down to a width, or encodes it in another format, or both. Its mark is kept. */
  transform(
    bytes: Uint8Array,
    wanted: { readonly width: number | null; readonly type: StoredImageType },
    tenant: string,
  ): Promise<Uint8Array>
}
