/**
 * Copies only the parts of an image that decoding needs: pixels, palette, transparency, colour profile and orientation.
 * Decoders read all other parts into memory, some of them compressed, and no pixel limit bounds that. XMP is returned
 * separately, because it holds the marks of synthetic media.
 */
import { type EssentialImage, toBuffer } from './image-parts.ts'
import type { ImageType } from './image-type.ts'
import { extractJpeg } from './jpeg.ts'
import { extractPng } from './png.ts'
import { extractWebp } from './webp.ts'

/** @throws {ImageError} NOT_READABLE if a JPEG is cut short, or if the file has more parts than any real image. */
export async function extractEssentials(bytes: Uint8Array, type: ImageType): Promise<EssentialImage> {
  const file = toBuffer(bytes)
  switch (type) {
    case 'image/jpeg':
      return extractJpeg(file)
    case 'image/png':
      return extractPng(file)
    case 'image/webp':
      return extractWebp(file)
  }
}
