/**
 * Images through libvips, which works in threads of its own. The header is read before any pixel: a picture of a
 * forbidden size costs nothing. What cannot be decoded completely is refused rather than kept half grey.
 */
import sharp, { type Sharp } from 'sharp'
import type { CleanImage, StoredImageType } from '../domain/image.ts'
import { findImageType } from '../lib/image-type.ts'
import { type ImageCodec, ImageRejected } from './image-codec.ts'

const MAX_PIXELS = 40_000_000
const MAX_SIDE = 16_384
/** RGB and alpha; more are no picture for people. */
const MAX_CHANNELS = 4
/** Each frame is searched for from the first one: the time to read a header grows with their square. */
const MAX_FRAMES = 1_000
/** A picture that takes longer was made to. */
const DECODE_SECONDS = 10

// Its cache holds on to pixels of pictures that are gone.
sharp.cache(false)

export function createSharpCodec(): ImageCodec {
  return {
    clean: async (bytes) => {
      const type = findImageType(bytes)
      if (type === null) throw new ImageRejected('It is not a JPEG, PNG or WebP image.')
      if (hasTooManyFrames(bytes)) throw new ImageRejected(`It has too many frames: at most ${MAX_FRAMES}.`)
      await checkHeader(bytes)
      const pipeline = sharp(bytes, { limitInputPixels: MAX_PIXELS, failOn: 'error', sequentialRead: true })
        .timeout({ seconds: DECODE_SECONDS })
        .autoOrient()
        .toColourspace('srgb')
      const { data, info } = await encode(pipeline, type)
        .toBuffer({ resolveWithObject: true })
        .catch(() => {
          throw new ImageRejected('Its data is damaged, cut short, or takes too long to decode.')
        })
      return { bytes: data, contentType: type, width: info.width, height: info.height } satisfies CleanImage
    },

    transform: async (bytes, { width, type }) => {
      const pipeline = sharp(bytes, { limitInputPixels: MAX_PIXELS, failOn: 'error', sequentialRead: true })
      if (width !== null) pipeline.resize({ width, withoutEnlargement: true })
      // What has no transparency in the other format gets a white ground.
      if (type === 'image/jpeg') pipeline.flatten({ background: '#ffffff' })
      return encode(pipeline, type).toBuffer()
    },
  }
}

/** By the mark that stands before each frame of a WebP animation; a picture without frames does not have it. */
function hasTooManyFrames(bytes: Uint8Array): boolean {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let frames = 0
  for (let at = file.indexOf('ANMF'); at !== -1; at = file.indexOf('ANMF', at + 4)) {
    frames += 1
    if (frames > MAX_FRAMES) return true
  }
  return false
}

async function checkHeader(bytes: Uint8Array): Promise<void> {
  const {
    width,
    height,
    pages = 1,
    channels,
  } = await sharp(bytes, { limitInputPixels: false })
    .metadata()
    .catch(() => {
      throw new ImageRejected('Its header is damaged.')
    })
  if (width > MAX_SIDE || height > MAX_SIDE || width * height * pages > MAX_PIXELS) {
    throw new ImageRejected(`It is too large: at most ${MAX_PIXELS / 1e6} megapixels over all frames.`)
  }
  if (channels > MAX_CHANNELS) throw new ImageRejected('It has more channels than a picture has.')
}

function encode(pipeline: Sharp, type: StoredImageType): Sharp {
  switch (type) {
    case 'image/jpeg':
      return pipeline.jpeg({ quality: 92, chromaSubsampling: '4:4:4' })
    case 'image/png':
      return pipeline.png({ compressionLevel: 6 })
    case 'image/webp':
      return pipeline.webp({ quality: 92 })
  }
}
