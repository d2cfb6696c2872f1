/**
 * Decodes untrusted images, for the gateway and the embedded upstream alike. The bytes decide the type, limits are
 * checked on the header before any pixel is decoded, and an image with missing data is refused. Harmless defects that
 * browsers ignore are ignored here, too.
 */
import sharp, { type Sharp } from 'sharp'
import { MAX_IMAGE_FRAMES, MAX_IMAGE_PIXELS, MAX_IMAGE_SIDE } from './image-limits.ts'
import { extractEssentials } from './essential-image.ts'
import { CUT_SHORT, ImageError } from './image-error.ts'
import { findImageType, findTypeProblem, type ImageType } from './image-type.ts'

/** RGB and alpha, or CMYK. */
const MAX_CHANNELS = 4
/** Only a file crafted to be slow takes longer. */
const DECODE_SECONDS = 30

export interface ReadableImage {
  /** Only the parts that decoding needs; the first frame of an animation. */
  readonly bytes: Uint8Array
  readonly type: ImageType
  readonly width: number
  readonly height: number
  /** Total of all frames. */
  readonly pixels: number
  readonly hasAlpha: boolean
  /** At most 256 KiB; null if there is none. */
  readonly xmp: string | null
}

/**
 * Reads an image's header and checks the limits. Decodes no pixel. Only the returned `bytes`, which have no metadata,
 * may be passed to a decoder.
 * @throws {ImageError}
 */
export async function readImage(original: Uint8Array, maxPixels = MAX_IMAGE_PIXELS): Promise<ReadableImage> {
  const type = checkType(original)
  const { bytes, frames, xmp } = await extractEssentials(original, type)
  if (frames > MAX_IMAGE_FRAMES) throw new ImageError('TOO_LARGE', `has more than ${MAX_IMAGE_FRAMES} frames`)
  const { width, height, channels, hasAlpha } = await sharp(bytes, { limitInputPixels: false })
    .metadata()
    .catch((error: unknown) => {
      throw new ImageError('NOT_READABLE', 'could not be read: its header is damaged', error)
    })
  const pixels = width * height * frames
  if (pixels > maxPixels) {
    const most = toMegapixels(maxPixels)
    throw new ImageError('TOO_LARGE', `is too large: ${toMegapixels(pixels)} megapixels; at most ${most} are accepted`)
  }
  if (width > MAX_IMAGE_SIDE || height > MAX_IMAGE_SIDE) {
    throw new ImageError('TOO_LARGE', `is too large: no side may have more than ${MAX_IMAGE_SIDE} pixels`)
  }
  if (channels > MAX_CHANNELS) throw new ImageError('NOT_READABLE', `could not be read: it has ${channels} channels`)
  return { bytes, type, width, height, pixels, hasAlpha, xmp }
}

/**
 * Decodes to upright sRGB pixels; the first frame of an animation.
 * @param use takes the pixels; called again with a more tolerant decoder if the first one stops at a harmless defect.
 * @throws {ImageError}
 */
export async function decodeImage<T>(
  { bytes, type, pixels }: ReadableImage,
  use: (upright: Sharp) => Promise<T>,
): Promise<T> {
  const decode = async (failOn: 'error' | 'warning'): Promise<T> =>
    use(
      sharp(bytes, { limitInputPixels: pixels, failOn, sequentialRead: true })
        .timeout({ seconds: DECODE_SECONDS })
        .autoOrient()
        .toColourspace('srgb'),
    )
  try {
    if (type !== 'image/jpeg') return await decode('error')
    try {
      return await decode('warning')
    } catch (error) {
      if (isOfMissingData(error)) throw error
    }
    return await decode('error')
  } catch (error) {
    throw error instanceof ImageError ? error : toImageError(error)
  }
}

/** @throws {ImageError} if the bytes are not a JPEG, PNG or WebP, or if a WebP is cut short. */
function checkType(bytes: Uint8Array): ImageType {
  const type = findImageType(bytes)
  if (type === null) throw new ImageError('TYPE_NOT_ALLOWED', findTypeProblem(bytes) ?? '')
  // The length in a RIFF header does not count the first eight bytes.
  const isWebp = type === 'image/webp'
  const length = isWebp && bytes.byteLength >= 12 ? Buffer.from(bytes.subarray(4, 8)).readUInt32LE() + 8 : 0
  if (length > bytes.byteLength) throw new ImageError('NOT_READABLE', CUT_SHORT)
  return type
}

// libjpeg and libvips distinguish defects only by message. libjpeg's messages are fixed (jerror.h).

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
