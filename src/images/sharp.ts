/** The image codec on libvips, which runs in its own threads. */
import { availableParallelism } from 'node:os'
import sharp, { type Sharp } from 'sharp'
import type { CleanImage, StoredImageType } from '../domain/image.ts'
import { decodeImage, readImage, type ReadableImage } from '../lib/image/image-decoder.ts'
import { ImageError } from '../lib/image/image-error.ts'
import { MAX_IMAGE_BYTES } from '../lib/image/image-limits.ts'
import { Semaphore } from '../lib/async/semaphore.ts'
import { findSyntheticMark, toXmp } from '../lib/image/synthetic-media.ts'
import { type ImageCodec, ImageRejectedError } from './image-codec.ts'

/**
 * Larger images are decoded one at a time: they take up to 13 bytes of memory per pixel (a progressive JPEG that has to
 * be rotated; bench/images.ts). Smaller images, up to two of this size together, do not wait for them.
 */
const LARGE_PIXELS = 16_000_000
const MAX_PIXELS_AT_ONCE = 2 * LARGE_PIXELS
/** Each image keeps a core busy, so this weight limits concurrent images to the number of cores, but at least two. */
const MIN_WEIGHT = MAX_PIXELS_AT_ONCE / Math.max(2, availableParallelism())
/** The limit of the WebP format. */
const MAX_WEBP_SIDE = 16_383
const SOFTWARE_NAME = 'swapface-gateway'

// The cache would retain pixels of images that are no longer in use.
sharp.cache(false)

interface Encoding {
  readonly type: StoredImageType
  readonly encode: (pixels: Sharp) => Sharp
}

// No optimised Huffman tables: they keep all coefficients in memory, 6 bytes a pixel, and take most of the time.
const toJpeg = (quality: number, chromaSubsampling: '4:4:4' | '4:2:0'): Encoding => ({
  type: 'image/jpeg',
  encode: (pixels) => pixels.jpeg({ quality, chromaSubsampling, optimiseCoding: false }),
})
const toWebp = (quality: number): Encoding => ({
  type: 'image/webp',
  // Above effort 2 an image of 50 megapixels takes half a minute.
  encode: (pixels) => pixels.webp({ quality, effort: 2 }),
})
const JPEG = [toJpeg(92, '4:4:4'), toJpeg(85, '4:2:0'), toJpeg(70, '4:2:0')] as const
const PNG: Encoding = { type: 'image/png', encode: (pixels) => pixels.png({ compressionLevel: 6 }) }
const WEBP = [toWebp(92), toWebp(75)] as const

export function createSharpCodec(): ImageCodec {
  const large = new Semaphore(1)
  // At most half for one tenant, so that another tenant's image starts at once.
  const all = new Semaphore(MAX_PIXELS_AT_ONCE, LARGE_PIXELS)
  const runLimited = async <T>(tenant: string, pixels: number, decode: () => Promise<T>): Promise<T> => {
    const weigh = async () => all.run(tenant, Math.max(MIN_WEIGHT, pixels), decode)
    return pixels > LARGE_PIXELS ? large.run(tenant, 1, weigh) : weigh()
  }

  return {
    clean: async (bytes, kind, tenant) => {
      try {
        const image = await readImage(bytes)
        const mark = kind === 'COPY' ? findSyntheticMark(image.xmp) : null
        const xmp = mark && toXmp(mark, SOFTWARE_NAME)
        const clean = await runLimited(tenant, image.pixels, async () => encodeToFit(image, xmp))
        return { ...clean, digitalSourceType: mark?.digitalSourceType ?? null }
      } catch (error) {
        throw error instanceof ImageError ? new ImageRejectedError(error.message) : error
      }
    },

    transform: async (stored, { width, type }, tenant) => {
      const { bytes, pixels, xmp } = await readImage(stored)
      return runLimited(tenant, pixels, async () => {
        const view = sharp(bytes, { limitInputPixels: pixels, failOn: 'error', sequentialRead: true })
        if (xmp !== null) view.withXmp(xmp)
        if (width !== null) view.resize({ width, withoutEnlargement: true })
        else if (type === 'image/webp') {
          view.resize({ width: MAX_WEBP_SIDE, height: MAX_WEBP_SIDE, fit: 'inside', withoutEnlargement: true })
        }
        // JPEG has no transparency.
        if (type === 'image/jpeg') view.flatten({ background: '#ffffff' })
        return encodingFor(type).encode(view).toBuffer()
      })
    },
  }
}

/** Tries the image's encodings, the best first, until the result has at most MAX_IMAGE_BYTES. */
async function encodeToFit(image: ReadableImage, xmp: string | null): Promise<Omit<CleanImage, 'digitalSourceType'>> {
  for (const { type, encode } of encodingsFor(image)) {
    const { data, info } = await decodeImage(image, async (upright) =>
      encode(xmp === null ? upright : upright.withXmp(xmp)).toBuffer({ resolveWithObject: true }),
    )
    if (data.byteLength <= MAX_IMAGE_BYTES) {
      return { bytes: data, contentType: type, width: info.width, height: info.height }
    }
  }
  throw new ImageError('TOO_LARGE', `is too large: re-encoded, it has more than ${MAX_IMAGE_BYTES / 1e6} MB`)
}

/** The best first. */
function encodingsFor({ type, hasAlpha, width, height }: ReadableImage): readonly Encoding[] {
  if (type === 'image/jpeg') return JPEG
  if (type === 'image/webp') return WEBP
  const fitsWebp = Math.max(width, height) <= MAX_WEBP_SIDE
  return [PNG, ...(hasAlpha ? (fitsWebp ? WEBP : []) : JPEG)]
}

function encodingFor(type: StoredImageType): Encoding {
  switch (type) {
    case 'image/jpeg':
      return JPEG[0]
    case 'image/png':
      return PNG
    case 'image/webp':
      return WEBP[0]
  }
}
