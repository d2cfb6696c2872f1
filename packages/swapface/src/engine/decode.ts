/**
 * Turns uploaded bytes into upright 8-bit sRGB pixels. Only JPEG, PNG and WebP are accepted, by their first bytes; of an
 * animation the first frame is taken. The header is read before any pixel, so that a picture of a forbidden size costs
 * nothing. What cannot be decoded completely is refused rather than swapped half grey.
 */
import sharp from 'sharp'

import { findImageType } from '../../../../src/lib/image-type.ts'
import { SwapRefusal } from '../engine-contract.ts'
import type { Picture } from './picture.ts'

export interface DecodedImage {
  readonly picture: Picture
  /** One byte a pixel; null where the picture is opaque. */
  readonly alpha: Uint8Array | null
}

export interface DecodeOptions {
  /** How messages call the picture. */
  readonly name: 'target' | 'face'
  readonly maxPixels: number
  /** Larger pictures are reduced to it. */
  readonly maxSide?: number
}

// A picture that takes longer than this to decode was made to.
const DECODE_SECONDS = 30

/** @throws {SwapRefusal} IMAGE_NOT_READABLE or IMAGE_TOO_LARGE */
export async function decodeImage(
  bytes: Uint8Array,
  { name, maxPixels, maxSide }: DecodeOptions,
): Promise<DecodedImage> {
  function refuse(reason: string, cause?: unknown): SwapRefusal {
    const refusal = new SwapRefusal('IMAGE_NOT_READABLE', `The ${name} image could not be read: ${reason}.`)
    refusal.cause = cause
    return refusal
  }

  if (bytes.length === 0) throw refuse('it is empty')
  if (findImageType(bytes) === null) throw refuse('it is not a JPEG, PNG or WebP image')

  const { width, height } = await sharp(bytes, { limitInputPixels: false })
    .metadata()
    .catch((error: unknown) => {
      throw refuse('its header is damaged', error)
    })
  if (width * height > maxPixels) {
    const found = toMegapixels(width * height)
    const allowed = toMegapixels(maxPixels)
    throw new SwapRefusal(
      'IMAGE_TOO_LARGE',
      `The ${name} image is too large: ${found} megapixels; at most ${allowed} are accepted.`,
    )
  }

  let pipeline = sharp(bytes, { limitInputPixels: maxPixels, failOn: 'error', sequentialRead: true })
    .timeout({ seconds: DECODE_SECONDS })
    .autoOrient()
    .toColourspace('srgb')
  if (maxSide !== undefined) {
    pipeline = pipeline.resize(maxSide, maxSide, { fit: 'inside', withoutEnlargement: true })
  }
  const { data, info } = await pipeline
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch((error: unknown) => {
      throw refuse('its data is damaged or cut short', error)
    })
  // A plain view: a Buffer is another kind of array to the compiler, and every kernel would be compiled twice.
  const pixels = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return splitChannels(pixels, info.width, info.height, info.channels)
}

/** Grey, grey and alpha, RGB, or RGB and alpha to RGB and, where anything is not opaque, alpha. */
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

function toMegapixels(pixels: number): string {
  const megapixels = pixels / 1e6
  return megapixels < 10 ? String(Number(megapixels.toFixed(1))) : String(Math.round(megapixels))
}
