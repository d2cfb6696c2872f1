import type { CleanImage, StoredImageType } from '../domain/image.ts'

/** The bytes are no image that can be kept. The message says why, for people, and nothing of how it was found out. */
export class ImageRejected extends Error {
  constructor(reason: string) {
    super(reason)
    this.name = 'ImageRejected'
  }
}

/** Decoding and encoding, off the event loop. */
export interface ImageCodec {
  /**
   * Decodes an image from outside within limits and encodes it afresh: upright, in sRGB, without the sender's metadata.
   * Of an animation the first frame.
   * @throws {ImageRejected}
   */
  clean(bytes: Uint8Array): Promise<CleanImage>
  /** Scales a clean image down to a width, or encodes it in another format, or both. */
  transform(
    bytes: Uint8Array,
    wanted: { readonly width: number | null; readonly type: StoredImageType },
  ): Promise<Uint8Array>
}
