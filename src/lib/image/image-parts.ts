/** Limits of the parts that an image file consists of: segments of a JPEG, chunks of a PNG or a WebP. */
import { promisify } from 'node:util'
import { inflate } from 'node:zlib'
import { ImageError } from './image-error.ts'

export interface EssentialImage {
  /** A file of the same type, with the first frame only if it is an animation. */
  readonly bytes: Uint8Array
  /** Frames of the original; 1 unless it is an animation. */
  readonly frames: number
  /** At most MAX_XMP_BYTES; null if there is none, or a larger one. */
  readonly xmp: string | null
}

/** A PNG of 20 MB in pieces of 256 bytes has 80,000. */
const MAX_PARTS = 100_000
/** Cost of reading a part, expressed as the number of bytes that take as long. */
export const PART_BYTES = 128
/** The largest printer profiles have 3 MB. A larger profile is ignored, and so is a damaged one. */
export const MAX_PROFILE_BYTES = 4 * 1_024 * 1_024
export const MAX_XMP_BYTES = 256 * 1_024

const inflateAsync = promisify(inflate)

export function toBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}

/** @returns a function to call for each part. It throws an ImageError if the file has too many. */
export function countParts(): () => void {
  let parts = 0
  return () => {
    parts += 1
    if (parts > MAX_PARTS)
      throw new ImageError('NOT_READABLE', `could not be read: it has more than ${MAX_PARTS} parts`)
  }
}

/** Inflates zlib data on the thread pool; null if it is damaged or inflates to more than `maxBytes`. */
export async function inflateCapped(data: Buffer, maxBytes: number): Promise<Buffer | null> {
  return inflateAsync(data, { maxOutputLength: maxBytes }).catch(() => null)
}
