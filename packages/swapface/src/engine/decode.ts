/** Decodes an untrusted image into upright 8-bit sRGB pixels. */
import { decodeImage as decodePixels, readImage } from '../../../../src/lib/image/image-decoder.ts'
import { ImageError } from '../../../../src/lib/image/image-error.ts'
import { SwapRefusal } from '../engine-contract.ts'
import type { Picture } from './picture.ts'

export interface DecodedImage {
  readonly picture: Picture
  /** One byte per pixel; null if the picture is opaque. */
  readonly alpha: Uint8Array | null
}

export interface DecodeOptions {
  /** The name of the picture in messages. */
  readonly name: 'target' | 'face'
  readonly maxPixels: number
  /** Larger pictures are scaled down to it. */
  readonly maxSide?: number
}

/** @throws {SwapRefusal} IMAGE_TYPE_NOT_ALLOWED, IMAGE_NOT_READABLE or IMAGE_TOO_LARGE */
export async function decodeImage(
  bytes: Uint8Array,
  { name, maxPixels, maxSide }: DecodeOptions,
): Promise<DecodedImage> {
  try {
    const image = await readImage(bytes, maxPixels)
    return await decodePixels(image, async (upright) => {
      if (maxSide !== undefined) upright.resize(maxSide, maxSide, { fit: 'inside', withoutEnlargement: true })
      const { data, info } = await upright.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
      // A plain Uint8Array: V8 would compile every kernel a second time for Buffers.
      const pixels = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      return splitChannels(pixels, info.width, info.height, info.channels)
    })
  } catch (error) {
    if (!(error instanceof ImageError)) throw error
    const refusal = new SwapRefusal(`IMAGE_${error.code}`, `The ${name} image ${error.message}.`)
    refusal.cause = error.cause
    throw refusal
  }
}

/** Splits 1 to 4 channels (grey or RGB, with or without alpha) into RGB and alpha; null if all pixels are opaque. */
export function splitChannels(data: Uint8Array, width: number, height: number, channels: number): DecodedImage {
  if (channels === 3) return { picture: { width, height, rgb: data }, alpha: null }
  const count = width * height
  const rgb = new Uint8Array(count * 3)
  const alpha = channels % 2 === 0 ? new Uint8Array(count) : null
  const green = channels > 2 ? 1 : 0
  let opaque = true
  for (let i = 0; i < count; i++) {
    const p = i * channels
    rgb[i * 3] = data[p] ?? 0
    rgb[i * 3 + 1] = data[p + green] ?? 0
    rgb[i * 3 + 2] = data[p + 2 * green] ?? 0
    if (alpha === null) continue
    const a = data[p + channels - 1] ?? 255
    alpha[i] = a
    if (a < 255) opaque = false
  }
  return { picture: { width, height, rgb }, alpha: opaque ? null : alpha }
}
