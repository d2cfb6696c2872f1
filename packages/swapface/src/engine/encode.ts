/**
 * Encodes the result: JPEG, or PNG if the target has transparency. The file has none of the inputs' metadata. Its own
 * metadata declares a composite made with trained models (XMP, IPTC digital source type).
 */
import sharp, { type Sharp } from 'sharp'

import { MAX_IMAGE_BYTES } from '../../../../src/lib/image/image-limits.ts'
import { COMPOSITE_WITH_TRAINED_MEDIA, toXmp } from '../../../../src/lib/image/synthetic-media.ts'
import { SwapRefusal } from '../engine-contract.ts'
import type { DecodedImage } from './decode.ts'

export interface EncodedImage {
  readonly image: Uint8Array
  readonly contentType: 'image/jpeg' | 'image/png'
  readonly width: number
  readonly height: number
}

export const SOFTWARE_NAME = 'swapface-gateway embedded engine'
const XMP = toXmp({ digitalSourceType: COMPOSITE_WITH_TRAINED_MEDIA, aigcLabel: null }, SOFTWARE_NAME)
/** Tried in order until the file has at most MAX_IMAGE_BYTES: a larger result could be neither copied nor reused. */
const JPEG_ENCODINGS = [
  { quality: 92, chromaSubsampling: '4:4:4' },
  { quality: 85, chromaSubsampling: '4:2:0' },
  { quality: 70, chromaSubsampling: '4:2:0' },
] as const

/** @throws {SwapRefusal} IMAGE_TOO_LARGE if the file exceeds MAX_IMAGE_BYTES in every encoding. */
export async function encodeImage({ picture, alpha }: DecodedImage): Promise<EncodedImage> {
  const { width, height } = picture
  if (alpha !== null) {
    const opacity = Buffer.from(alpha.buffer, alpha.byteOffset, alpha.byteLength)
    const image = await openMarked(picture)
      .joinChannel(opacity, { raw: { width, height, channels: 1 } })
      .png({ compressionLevel: 6 })
      .toBuffer()
    if (image.byteLength <= MAX_IMAGE_BYTES) return { image, contentType: 'image/png', width, height }
  } else {
    for (const encoding of JPEG_ENCODINGS) {
      // Optimised Huffman tables would take most of the time, and 6 bytes per pixel.
      const image = await openMarked(picture)
        .jpeg({ ...encoding, optimiseCoding: false })
        .toBuffer()
      if (image.byteLength <= MAX_IMAGE_BYTES) return { image, contentType: 'image/jpeg', width, height }
    }
  }
  const megabytes = MAX_IMAGE_BYTES / 1e6
  throw new SwapRefusal('IMAGE_TOO_LARGE', `The target image is too large: its result has more than ${megabytes} MB.`)
}

function openMarked({ width, height, rgb }: DecodedImage['picture']): Sharp {
  return sharp(rgb, { raw: { width, height, channels: 3 }, limitInputPixels: false })
    .withXmp(XMP)
    .withExif({
      IFD0: { Software: SOFTWARE_NAME, ImageDescription: 'Face swap: a composite made with trained models' },
    })
}
