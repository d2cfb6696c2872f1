/** Odd, broken and hostile pictures, each made by code, each with what has to come of it. */
import { crc32, deflateSync } from 'node:zlib'

import sharp, { type Sharp } from 'sharp'

import type { SwapRefusalCode } from '../../src/engine/engine.ts'
import { createRandom } from '../../tools/random.ts'

export type Outcome = 'SWAPPED' | SwapRefusalCode

export interface OddImage {
  readonly name: string
  readonly outcome: Outcome
  readonly make: (portrait: Uint8Array) => Promise<Uint8Array> | Uint8Array
}

function swapped(name: string, make: (portrait: Sharp) => Sharp): OddImage {
  return { name, outcome: 'SWAPPED', make: (portrait) => make(sharp(portrait)).toBuffer() }
}

function faceless(name: string, make: () => Sharp): OddImage {
  return { name, outcome: 'FACE_NOT_FOUND', make: () => make().toBuffer() }
}

function unreadable(name: string, make: OddImage['make']): OddImage {
  return { name, outcome: 'IMAGE_NOT_READABLE', make }
}

function otherType(name: string, make: OddImage['make']): OddImage {
  return { name, outcome: 'IMAGE_TYPE_NOT_ALLOWED', make }
}

function tooLarge(name: string, make: OddImage['make']): OddImage {
  return { name, outcome: 'IMAGE_TOO_LARGE', make }
}

function plain(width: number, height: number, colour = '#888888'): Sharp {
  return sharp({ create: { width, height, channels: 3, background: colour } })
}

function drawSvg(body: string, size = 300): Sharp {
  return sharp(Buffer.from(`<svg width="${size}" height="${size}" xmlns="http://www.w3.org/2000/svg">${body}</svg>`))
}

function makeNoise(count: number): Buffer {
  const random = createRandom(count)
  return Buffer.from(Array.from({ length: count }, () => Math.floor(random() * 256)))
}

/** A PNG of which only the header and the given data are true. */
function makePng(width: number, height: number, data: Uint8Array, depth = 8, colour = 2): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([depth, colour], 8)
  const chunk = (type: string, body: Uint8Array): Buffer => {
    const named = Buffer.concat([Buffer.from(type), body])
    const ends = Buffer.alloc(8)
    ends.writeUInt32BE(body.length, 0)
    ends.writeUInt32BE(crc32(named), 4)
    return Buffer.concat([ends.subarray(0, 4), named, ends.subarray(4)])
  }
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(data)),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

/** The size in a JPEG's frame header, overwritten. */
function claimJpegSize(jpeg: Uint8Array, width: number, height: number): Buffer {
  const bytes = Buffer.from(jpeg)
  const frame = bytes.findIndex((byte, i) => byte === 0xff && (bytes[i + 1] === 0xc0 || bytes[i + 1] === 0xc2))
  bytes.writeUInt16BE(height, frame + 5)
  bytes.writeUInt16BE(width, frame + 7)
  return bytes
}

const cut = (share: number, encode: (portrait: Sharp) => Sharp) => async (portrait: Uint8Array) => {
  const whole = await encode(sharp(portrait)).toBuffer()
  return whole.subarray(0, Math.floor(whole.length * share))
}

export const ODD_IMAGES: readonly OddImage[] = [
  swapped('a progressive JPEG', (p) => p.jpeg({ progressive: true })),
  swapped('a JPEG of quality 8', (p) => p.jpeg({ quality: 8 })),
  swapped('a grey JPEG', (p) => p.greyscale().jpeg()),
  swapped('a CMYK JPEG', (p) => p.toColourspace('cmyk').jpeg()),
  swapped('a JPEG in Display P3', (p) => p.withIccProfile('p3').jpeg()),
  ...[2, 3, 5, 6, 8].map((orientation) =>
    swapped(`a JPEG with EXIF orientation ${orientation}`, (p) => p.withMetadata({ orientation }).jpeg()),
  ),
  swapped('a PNG', (p) => p.png()),
  swapped('an interlaced PNG', (p) => p.png({ progressive: true })),
  swapped('a PNG with 16 bits', (p) => p.toColourspace('rgb16').png()),
  swapped('a PNG with a palette', (p) => p.png({ palette: true, colours: 32 })),
  swapped('a grey PNG', (p) => p.greyscale().png()),
  swapped('a PNG with alpha', (p) => p.ensureAlpha(0.5).png()),
  swapped('a grey PNG with alpha', (p) => p.greyscale().ensureAlpha(0.5).png()),
  swapped('a WebP', (p) => p.webp()),
  swapped('a lossless WebP', (p) => p.webp({ lossless: true })),
  swapped('a WebP with alpha', (p) => p.ensureAlpha(0.5).webp()),
  {
    name: 'an animated WebP, of which the first frame is taken',
    outcome: 'SWAPPED',
    make: async (portrait) => {
      const frame = await sharp(portrait).resize(320).png().toBuffer()
      const blank = await plain(320, 400).png().toBuffer()
      return sharp([frame, blank], { join: { animated: true } })
        .webp({ delay: [100, 100] })
        .toBuffer()
    },
  },
  swapped('a picture 96 pixels wide', (p) => p.resize(96).jpeg()),
  swapped('a picture 64 pixels wide', (p) => p.resize(64).png()),
  swapped('a face that fills the frame', (p) => p.extract({ left: 170, top: 180, width: 300, height: 420 }).jpeg()),
  swapped('a small face in a wide picture', (p) =>
    p.resize(200).extend({ left: 1400, right: 900, background: '#345' }).jpeg(),
  ),
  swapped('a small face in a tall picture', (p) =>
    p.resize(200).extend({ top: 1300, bottom: 600, background: '#345' }).jpeg(),
  ),
  swapped('a dark picture', (p) => p.linear(0.25, 0).jpeg()),
  swapped('an overexposed picture', (p) => p.linear(1.5, 20).jpeg()),
  swapped('a blurred picture', (p) => p.blur(6).jpeg()),
  swapped('a picture of 12 megapixels', (p) => p.resize(3100).jpeg()),
  {
    name: 'a JPEG with rubbish after its end',
    outcome: 'SWAPPED',
    make: (portrait) => Buffer.concat([portrait, makeNoise(5000)]),
  },
  {
    name: 'a JPEG after which a whole archive hangs',
    outcome: 'SWAPPED',
    make: (portrait) => Buffer.concat([portrait, Buffer.from('PK\u0003\u0004'), Buffer.alloc(200_000)]),
  },
  ...[false, true].map((progressive) => ({
    name: `a ${progressive ? 'progressive' : 'baseline'} JPEG without its end marker`,
    outcome: 'SWAPPED' as const,
    make: async (portrait: Uint8Array) => (await sharp(portrait).jpeg({ progressive }).toBuffer()).subarray(0, -2),
  })),
  {
    name: 'a JPEG with a comment of 60 kB',
    outcome: 'SWAPPED',
    make: (portrait) =>
      Buffer.concat([
        portrait.subarray(0, 2),
        Buffer.from([0xff, 0xfe, 0xea, 0x62]),
        Buffer.alloc(60_000, 'x'),
        portrait.subarray(2),
      ]),
  },

  faceless('a PNG of one pixel', () => plain(1, 1).png()),
  faceless('a JPEG of one pixel', () => plain(1, 1).jpeg()),
  faceless('a picture one pixel wide', () => plain(1, 900).png()),
  faceless('a picture one pixel high', () => plain(900, 1).png()),
  faceless('a strip of 6000 x 3', () => plain(6000, 3).png()),
  faceless('32 blank pixels', () => plain(32, 32).webp()),
  faceless('a white picture', () => plain(400, 400, '#ffffff').jpeg()),
  faceless('a black picture', () => plain(400, 400, '#000000').jpeg()),
  faceless('a wholly transparent picture', () =>
    sharp({ create: { width: 200, height: 200, channels: 4, background: '#00000000' } }).png(),
  ),
  faceless('a gradient', () =>
    drawSvg(
      '<linearGradient id="g"><stop stop-color="#a86"/><stop offset="1" stop-color="#432"/></linearGradient><rect width="300" height="300" fill="url(#g)"/>',
    ).png(),
  ),
  faceless('a chequerboard', () =>
    drawSvg(
      '<pattern id="c" width="20" height="20" patternUnits="userSpaceOnUse"><path d="M0 0h10v10H0z M10 10h10v10H10z"/></pattern><rect width="300" height="300" fill="#fff"/><rect width="300" height="300" fill="url(#c)"/>',
    ).png(),
  ),
  faceless('noise', () =>
    sharp({
      create: {
        width: 300,
        height: 300,
        channels: 3,
        background: '#000',
        noise: { type: 'gaussian', mean: 128, sigma: 60 },
      },
    }).png(),
  ),
  faceless('a black and white PNG of one bit', () => plain(64, 64).png({ palette: true, colours: 2 })),
  {
    name: 'a PNG whose sixteen-bit pixels are all there is to it',
    outcome: 'FACE_NOT_FOUND',
    make: () => makePng(4, 4, Buffer.alloc((4 * 6 + 1) * 4), 16),
  },

  otherType('nothing', () => Buffer.alloc(0)),
  otherType('one byte', () => Buffer.from([0xff])),
  otherType('random bytes', () => makeNoise(4000)),
  otherType('text', () => Buffer.from('hello, this is not a picture')),
  otherType('a web page', () => Buffer.from('<!doctype html><html><body><img src="x.jpg"></body></html>')),
  otherType('an SVG', () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')),
  otherType('an SVG that wants a file', () =>
    Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'),
  ),
  otherType('a GIF', (portrait) => sharp(portrait).resize(100).gif().toBuffer()),
  otherType('an AVIF', (portrait) => sharp(portrait).resize(64).avif({ effort: 0 }).toBuffer()),
  otherType('a TIFF', (portrait) => sharp(portrait).resize(100).tiff().toBuffer()),
  otherType('a BMP', () => Buffer.concat([Buffer.from('BM'), Buffer.alloc(200)])),
  otherType('a PDF', () => Buffer.from('%PDF-1.7\n%âãÏÓ\n')),
  otherType('a ZIP archive', () => Buffer.from('PK\u0003\u0004aaaaaaaaaaaaaa')),
  otherType('a picture behind a byte order mark', (portrait) =>
    Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), portrait]),
  ),
  unreadable('the first three bytes of a JPEG', () => Buffer.from([0xff, 0xd8, 0xff])),
  unreadable('a JPEG of zeros', () => Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.alloc(3000)])),
  unreadable('the signature of a PNG alone', () => Buffer.from('89504e470d0a1a0a', 'hex')),
  unreadable('a PNG of no size', () => makePng(0, 0, Buffer.alloc(10))),
  unreadable('a PNG with a wrong checksum in its header', (portrait) =>
    sharp(portrait)
      .resize(50)
      .png()
      .toBuffer()
      .then((png) => Buffer.from(png.map((byte, i) => (i === 30 ? byte ^ 0xff : byte)))),
  ),
  unreadable('a PNG with too few pixels in it', () => makePng(500, 500, Buffer.alloc(1000))),
  unreadable('a PNG with an impossible depth', () => makePng(10, 10, Buffer.alloc(400), 7)),
  unreadable('the beginning of a WebP', () => Buffer.from('RIFF\u0010\u0000\u0000\u0000WEBPVP8 ')),
  unreadable('a WebP full of noise', () =>
    Buffer.concat([Buffer.from('RIFF\u0010\u0027\u0000\u0000WEBPVP8L'), makeNoise(9000)]),
  ),
  ...[0.1, 0.5, 0.9].map((share) =>
    unreadable(
      `the first ${share * 100} % of a JPEG`,
      cut(share, (p) => p.jpeg()),
    ),
  ),
  ...[false, true].map((progressive) =>
    unreadable(`half a ${progressive ? 'progressive' : 'baseline'} JPEG with an end marker`, async (portrait) => {
      const whole = await sharp(portrait).jpeg({ progressive }).toBuffer()
      return Buffer.concat([whole.subarray(0, whole.length / 2), Buffer.from([0xff, 0xd9])])
    }),
  ),
  ...[0.1, 0.5, 0.98].map((share) =>
    unreadable(
      `the first ${share * 100} % of a PNG`,
      cut(share, (p) => p.resize(200).png()),
    ),
  ),
  ...[0.1, 0.6].map((share) =>
    unreadable(
      `the first ${share * 100} % of a WebP`,
      cut(share, (p) => p.webp()),
    ),
  ),

  tooLarge('a PNG that says it has 900 megapixels', () => makePng(30_000, 30_000, Buffer.alloc(100))),
  unreadable('a PNG that says it is 2 billion pixels wide and high', () =>
    makePng(0x7fffffff, 0x7fffffff, Buffer.alloc(9)),
  ),
  tooLarge('a JPEG that says it has 4 gigapixels', (portrait) => claimJpegSize(portrait, 65_500, 65_500)),
  tooLarge('a real PNG of 64 megapixels in 60 kB', () => plain(8000, 8000).png().toBuffer()),
  tooLarge('a real WebP of 67 megapixels', () => plain(16_000, 4200).webp({ effort: 0 }).toBuffer()),
]
