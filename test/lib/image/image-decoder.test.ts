/** Decodes images as cameras, phones and other programs write them. */
import sharp, { type Sharp } from 'sharp'
import { describe, expect, test } from 'vitest'
import { decodeImage, readImage } from '../../../src/lib/image/image-decoder.ts'
import { makeImage } from '../../support/images.ts'

const RED = [220, 30, 30]
const GREEN = [30, 170, 60]
const BLUE = [30, 60, 200]
const YELLOW = [240, 210, 40]
const END_OF_IMAGE = Buffer.from([0xff, 0xd9])

async function decode(bytes: Uint8Array) {
  return decodeImage(await readImage(bytes), async (upright) => {
    const { data, info } = await upright.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
    const at = (x: number, y: number) => {
      const start = (y * info.width + x) * info.channels
      return [...data.subarray(start, start + info.channels)]
    }
    return { ...info, at }
  })
}

function solid(...colour: readonly number[]): Sharp {
  const [r = 0, g = 0, b = 0, alpha] = colour
  const channels = alpha === undefined ? 3 : 4
  return sharp({
    create: { width: 48, height: 32, channels, background: { r, g, b, ...(alpha !== undefined && { alpha }) } },
  })
}

/** The largest difference between the channels of two colours. */
function farthest(found: readonly number[], wanted: readonly number[]): number {
  return Math.max(...wanted.map((value, n) => Math.abs((found[n] ?? Infinity) - value)))
}

/** Four colours: red and green above, blue and yellow below. */
async function makeQuadrants(): Promise<Buffer> {
  const quarter = async (colour: number[], left: number, top: number) => ({
    input: await solid(...colour)
      .png()
      .toBuffer(),
    left,
    top,
  })
  const parts = [await quarter(GREEN, 48, 0), await quarter(BLUE, 0, 32), await quarter(YELLOW, 48, 32)]
  return solid(...RED)
    .extend({ right: 48, bottom: 32, background: '#dc1e1e' })
    .png()
    .toBuffer()
    .then((base) => sharp(base).composite(parts).png().toBuffer())
}

/** Where the quadrants of the stored picture are in the upright one, for each EXIF orientation. */
const UPRIGHT: Readonly<Record<number, readonly number[][]>> = {
  1: [RED, GREEN, BLUE, YELLOW],
  2: [GREEN, RED, YELLOW, BLUE],
  3: [YELLOW, BLUE, GREEN, RED],
  4: [BLUE, YELLOW, RED, GREEN],
  5: [RED, BLUE, GREEN, YELLOW],
  6: [BLUE, RED, YELLOW, GREEN],
  7: [YELLOW, GREEN, BLUE, RED],
  8: [GREEN, YELLOW, RED, BLUE],
}

describe.each(['jpeg', 'png', 'webp'] as const)('a %s image', (format) => {
  test.each(Object.entries(UPRIGHT))('with EXIF orientation %s is decoded upright', async (orientation, quadrants) => {
    const bytes = await sharp(await makeQuadrants())
      .withMetadata({ orientation: Number(orientation) })
      .toFormat(format, { quality: 95 })
      .toBuffer()
    const { width, height, at } = await decode(bytes)
    expect([width, height]).toEqual(Number(orientation) > 4 ? [64, 96] : [96, 64])
    const found = [at(width / 4, height / 4), at((width * 3) / 4, height / 4)]
    found.push(at(width / 4, (height * 3) / 4), at((width * 3) / 4, (height * 3) / 4))
    for (const [n, colour] of quadrants.entries()) expect(farthest(found[n] ?? [], colour)).toBeLessThanOrEqual(14)
  })
})

describe('sRGB pixels are decoded from', () => {
  test.each<[string, () => Sharp, readonly number[], number]>([
    ['a JPEG in Display P3', () => solid(200, 60, 40).withIccProfile('p3').jpeg({ quality: 100 }), [200, 60, 40], 5],
    ['a PNG in Display P3', () => solid(200, 60, 40).withIccProfile('p3').png(), [200, 60, 40], 3],
    ['a WebP in Display P3', () => solid(200, 60, 40).withIccProfile('p3').webp({ lossless: true }), [200, 60, 40], 3],
    ['a grey JPEG', () => solid(128, 128, 128).greyscale().jpeg(), [128], 3],
    ['a PNG with 16 bits', () => solid(200, 60, 40).toColourspace('rgb16').png(), [200, 60, 40], 1],
    ['a grey PNG with 16 bits', () => solid(128, 128, 128).toColourspace('grey16').png(), [128, 128, 128], 1],
    ['a transparent PNG with a palette', () => solid(200, 60, 40, 0.5).png({ palette: true }), [200, 60, 40, 128], 1],
    ['a WebP with transparency', () => solid(200, 60, 40, 0.5).webp({ lossless: true }), [200, 60, 40, 128], 1],
    ['a CMYK JPEG', () => solid(150, 120, 100).toColourspace('cmyk').jpeg({ quality: 100 }), [150, 120, 100], 12],
    [
      'a CMYK JPEG with a profile',
      () => solid(150, 120, 100).withIccProfile('cmyk').jpeg({ quality: 100 }),
      [150, 120, 100],
      20,
    ],
  ])('%s', async (_what, make, colour, by) => {
    const { at } = await decode(await make().toBuffer())
    expect(farthest(at(10, 10).slice(0, colour.length), colour)).toBeLessThanOrEqual(by)
  })

  test('the first frame of an animation', async () => {
    const frames = [
      await solid(...RED)
        .png()
        .toBuffer(),
      await solid(...BLUE)
        .png()
        .toBuffer(),
    ]
    const bytes = await sharp(frames, { join: { animated: true } })
      .webp({ lossless: true })
      .toBuffer()
    expect((await sharp(bytes).metadata()).pages).toBe(2)
    const { at, width, height } = await decode(bytes)
    expect([width, height, ...at(10, 10)]).toEqual([48, 32, ...RED])
  })
})

/** The offset of the first segment with this marker. */
function find(jpeg: Buffer, marker: number): number {
  let at = 2
  while (jpeg[at + 1] !== marker) at += 2 + jpeg.readUInt16BE(at + 2)
  return at
}

/** Where each scan of a JPEG begins. */
function findScans(jpeg: Buffer): number[] {
  const scans: number[] = []
  for (let at = find(jpeg, 0xda); at !== -1; at = jpeg.indexOf(Buffer.from([0xff, 0xda]), at + 2)) scans.push(at)
  return scans
}

const jpegOf = async (progressive: boolean) =>
  sharp(await makeImage('png', 160, 120))
    .jpeg({ progressive })
    .toBuffer()

describe('a defect that browsers ignore is ignored:', () => {
  test.each<[string, boolean, (jpeg: Buffer) => Buffer]>([
    ['a baseline JPEG without its end marker', false, (jpeg) => jpeg.subarray(0, -2)],
    ['a progressive JPEG without its end marker', true, (jpeg) => jpeg.subarray(0, -2)],
    ['a progressive JPEG with half its end marker', true, (jpeg) => jpeg.subarray(0, -1)],
    ['a progressive JPEG with other data behind it', true, (jpeg) => Buffer.concat([jpeg, Buffer.alloc(5_000, 7)])],
    [
      'a baseline JPEG whose scan header says it is a part of a progressive one',
      false,
      (jpeg) => {
        const bytes = Buffer.from(jpeg)
        const scan = find(bytes, 0xda)
        bytes[scan + bytes.readUInt16BE(scan + 2)] = 0
        return bytes
      },
    ],
    [
      'a JPEG with superfluous bytes before its end marker',
      false,
      (jpeg) => Buffer.concat([jpeg.subarray(0, -2), Buffer.alloc(100), END_OF_IMAGE]),
    ],
  ])('%s', async (_what, progressive, damage) => {
    const whole = await jpegOf(progressive)
    const [damaged, intact] = [await decode(damage(whole)), await decode(whole)]
    for (const [x, y] of [
      [0, 0],
      [159, 119],
      [80, 60],
    ] as const)
      expect(damaged.at(x, y)).toEqual(intact.at(x, y))
  })
})

describe('an incomplete image is refused:', () => {
  const half = (bytes: Buffer) => bytes.subarray(0, Math.floor(bytes.length / 2))
  test.each<[string, () => Promise<Buffer>]>([
    ['half a baseline JPEG', async () => half(await jpegOf(false))],
    ['half a progressive JPEG', async () => half(await jpegOf(true))],
    ['half a baseline JPEG with an end marker', async () => Buffer.concat([half(await jpegOf(false)), END_OF_IMAGE])],
    ['half a progressive JPEG with an end marker', async () => Buffer.concat([half(await jpegOf(true)), END_OF_IMAGE])],
    [
      'a JPEG whose second half is zeros, as after a broken copy',
      async () => {
        const jpeg = await jpegOf(false)
        return Buffer.concat([half(jpeg), Buffer.alloc(jpeg.length / 2)])
      },
    ],
    [
      'a progressive JPEG that ends before its last scan',
      async () => {
        const jpeg = await jpegOf(true)
        return jpeg.subarray(0, findScans(jpeg).at(-1))
      },
    ],
    [
      'a progressive JPEG that ends after its first scan',
      async () => {
        const jpeg = await jpegOf(true)
        return jpeg.subarray(0, findScans(jpeg).at(1))
      },
    ],
    ['half a PNG', async () => half(await makeImage('png', 160, 120))],
    ['half a WebP', async () => half(await makeImage('webp', 160, 120))],
  ])('%s', async (_what, make) => {
    await expect(decode(await make())).rejects.toMatchObject({
      code: 'NOT_READABLE',
      message: expect.stringMatching(/^could not be read: (?:it is cut short|its data is damaged or cut short)$/),
    })
  })

  test('a JPEG with wrong bytes in the middle', async () => {
    const jpeg = await jpegOf(false)
    const middle = Math.floor(jpeg.length / 2)
    jpeg.fill(0x55, middle, middle + 400)
    jpeg.fill(0xff, middle + 400, middle + 420)
    jpeg.fill(0xd3, middle + 420, middle + 421)
    await expect(decode(jpeg)).rejects.toMatchObject({ code: 'NOT_READABLE' })
  })
})

const box = (brand: string) =>
  Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from(`ftyp${brand}\0\0\0\0mif1`), Buffer.alloc(99)])

test.each<[string, Buffer]>([
  ['is a HEIC image', box('heic')],
  ['is a HEIC image', box('heix')],
  ['is a HEIC image', box('mif1')],
  ['is an AVIF image', box('avif')],
  ['is an AVIF image', box('avis')],
  ['is a camera raw file', box('crx ')],
  ['is a video', box('isom')],
  ['is a video', box('qt  ')],
  ['is a GIF image', Buffer.from('GIF89a\u0001\0')],
  ['is a TIFF image', Buffer.from('II*\0\b\0\0\0')],
  ['is a JPEG XL image', Buffer.from([0xff, 0x0a, 0, 0])],
  ['is a BMP image', Buffer.from('BM\0\0\0\0\0\0\0\0')],
  ['is a PDF document', Buffer.from('%PDF-1.7')],
  ['is a ZIP archive', Buffer.from('PK\u0003\u0004')],
  ['is an SVG image', Buffer.from('<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>')],
  ['is a web page', Buffer.from('\uFEFF\n<!DOCTYPE html>')],
  ['is JSON text', Buffer.from('{"error":"no"}')],
  ['is a base64 text', Buffer.from('data:image/png;base64,iVBORw0KGgo=')],
  ['is', Buffer.from('hello')],
])('the refusal of other data names its format: it %s, not a JPEG, PNG or WebP image', async (what, bytes) => {
  const error = {
    code: 'TYPE_NOT_ALLOWED',
    message: `${what === 'is' ? 'is not' : `${what}, not`} a JPEG, PNG or WebP image`,
  }
  await expect(decode(bytes)).rejects.toMatchObject(error)
})
