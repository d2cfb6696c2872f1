/**
 * Decoding of images from outside, the same for the gateway and the embedded upstream: the bytes decide what an image
 * is, limits are checked on the header before any pixel is decoded, and an image of which something is missing is
 * refused. Harmless defects that browsers ignore are ignored here, too.
 */
import sharp, { type Sharp } from 'sharp'
import { MAX_IMAGE_FRAMES, MAX_IMAGE_PIXELS, MAX_IMAGE_SIDE } from './image-limits.ts'
import { findImageType, findTypeProblem, type ImageType } from './image-type.ts'
import { isCutUnnoticed, withEndMarker } from './jpeg.ts'

/** RGB and alpha, or CMYK. */
const MAX_CHANNELS = 4
/** Only a file that was made to be slow takes longer. */
const DECODE_SECONDS = 30

export type ImageProblem = 'TYPE_NOT_ALLOWED' | 'TOO_LARGE' | 'NOT_READABLE'

/** An image that cannot be used. The message is a predicate without a full stop: "is a GIF image, …". */
export class ImageError extends Error {
  override readonly name = 'ImageError'
  readonly code: ImageProblem

  constructor(code: ImageProblem, predicate: string, cause?: unknown) {
    super(predicate, { cause })
    this.code = code
  }
}

export interface ImageHeader {
  readonly type: ImageType
  readonly width: number
  readonly height: number
  readonly pixels: number
  readonly hasAlpha: boolean
  readonly xmp: string | null
}

/**
 * Reads the header and checks the limits.
 * @throws {ImageError}
 */
export async function readImageHeader(bytes: Uint8Array, maxPixels = MAX_IMAGE_PIXELS): Promise<ImageHeader> {
  const type = checkType(bytes)
  if (hasTooManyFrames(bytes)) throw new ImageError('TOO_LARGE', `has more than ${MAX_IMAGE_FRAMES} frames`)
  const found = await sharp(bytes, { limitInputPixels: false })
    .metadata()
    .catch((error: unknown) => {
      throw new ImageError('NOT_READABLE', 'could not be read: its header is damaged', error)
    })
  const { width, height, pages = 1, channels, hasAlpha, xmpAsString } = found
  const pixels = width * height * pages
  if (pixels > maxPixels) {
    const most = toMegapixels(maxPixels)
    throw new ImageError('TOO_LARGE', `is too large: ${toMegapixels(pixels)} megapixels; at most ${most} are accepted`)
  }
  if (width > MAX_IMAGE_SIDE || height > MAX_IMAGE_SIDE) {
    throw new ImageError('TOO_LARGE', `is too large: no side may have more than ${MAX_IMAGE_SIDE} pixels`)
  }
  if (channels > MAX_CHANNELS) throw new ImageError('NOT_READABLE', `could not be read: it has ${channels} channels`)
  return { type, width, height, pixels, hasAlpha, xmp: xmpAsString ?? null }
}

/**
 * Decodes upright pixels in sRGB, of an animation the first frame.
 * @param use takes the pixels; called again with a more tolerant decoder when the first one stops at a harmless defect.
 * @throws {ImageError}
 */
export async function decodeImage<T>(
  bytes: Uint8Array,
  { type, pixels }: ImageHeader,
  use: (upright: Sharp) => Promise<T>,
): Promise<T> {
  const decode = async (from: Uint8Array, failOn: 'error' | 'warning'): Promise<T> =>
    use(
      sharp(from, { limitInputPixels: pixels, failOn, sequentialRead: true })
        .timeout({ seconds: DECODE_SECONDS })
        .autoOrient()
        .toColourspace('srgb'),
    )
  try {
    if (type !== 'image/jpeg') return await decode(bytes, 'error')
    if (isCutUnnoticed(bytes)) throw new ImageError('NOT_READABLE', CUT_SHORT)
    try {
      return await decode(withEndMarker(bytes), 'warning')
    } catch (error) {
      if (isOfMissingData(error)) throw error
    }
    return await decode(bytes, 'error')
  } catch (error) {
    throw error instanceof ImageError ? error : toImageError(error)
  }
}

const CUT_SHORT = 'could not be read: it is cut short'

/** @throws {ImageError} for bytes that are no JPEG, PNG or WebP, or only the beginning of one. */
function checkType(bytes: Uint8Array): ImageType {
  const type = findImageType(bytes)
  if (type === null) throw new ImageError('TYPE_NOT_ALLOWED', findTypeProblem(bytes) ?? '')
  // The length that a RIFF file says it has, without its first eight bytes.
  const isWebp = type === 'image/webp'
  const length = isWebp && bytes.byteLength >= 12 ? Buffer.from(bytes.subarray(4, 8)).readUInt32LE() + 8 : 0
  if (length > bytes.byteLength) throw new ImageError('NOT_READABLE', CUT_SHORT)
  return type
}

/** By the mark that precedes each frame of a WebP animation; an image without frames does not have it. */
function hasTooManyFrames(bytes: Uint8Array): boolean {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let frames = 0
  for (let at = file.indexOf('ANMF'); at !== -1; at = file.indexOf('ANMF', at + 4)) {
    frames += 1
    if (frames > MAX_IMAGE_FRAMES) return true
  }
  return false
}

// libjpeg and libvips tell defects apart by their texts only. Those of libjpeg are fixed (jerror.h).

function isOfMissingData(error: unknown): boolean {
  return /premature end|bad (?:Huffman|arithmetic) code|instead of RST/i.test(toText(error))
}

function toImageError(error: unknown): ImageError {
  const text = toText(error)
  if (/premature end|not enough data/i.test(text)) return new ImageError('NOT_READABLE', CUT_SHORT, error)
  if (/^timeout/i.test(text)) {
    return new ImageError('NOT_READABLE', `could not be read: decoding took longer than ${DECODE_SECONDS} s`, error)
  }
  return new ImageError('NOT_READABLE', 'could not be read: its data is damaged or cut short', error)
}

function toText(error: unknown): string {
  return error instanceof Error ? error.message : ''
}

function toMegapixels(pixels: number): string {
  const megapixels = pixels / 1e6
  return megapixels < 10 ? String(Number(megapixels.toFixed(1))) : String(Math.ceil(megapixels))
}
