import { deflateSync } from 'node:zlib'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { extractEssentials } from '../../../src/lib/image/essential-image.ts'
import { countTurns } from '../../support/count-turns.ts'
import { withJpegSegments, withPngChunks, withWebpChunks } from '../../support/image-bombs.ts'
import { makeImage } from '../../support/images.ts'

const CANARY = 'canary'
const XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/">marks</x:xmpmeta>'
const canary = Buffer.from(CANARY)
const text = (...parts: readonly (string | Uint8Array)[]) => Buffer.concat(parts.map((part) => Buffer.from(part)))

const DRESSED = {
  jpeg: async () =>
    withJpegSegments(await makeImage('jpeg'), [
      ...Array.from({ length: 16 }, (_none, n) => [0xe0 + n, canary] as const),
      [0xe0, text('JFXX\0', CANARY)],
      [0xe1, text('http://ns.adobe.com/xap/1.0/\0', XMP)],
      [0xe2, text('MPF\0', CANARY)],
      [0xed, text('Photoshop 3.0\0', CANARY)],
      [0xfe, canary],
    ]),
  png: async () =>
    withPngChunks(await makeImage('png'), [
      ...['tEXt', 'sPLT', 'hIST', 'acTL', 'fcTL', 'fdAT', 'caBX', 'vpAg'].map((type) => [type, canary] as const),
      ['iTXt', text('XML:com.adobe.xmp\0\u0001\0\0\0', deflateSync(XMP))],
      ['iTXt', text('XML:com.adobe.xmp\0\0\0\0\0', CANARY)],
      ['iCCP', text('profile\0\0', canary)],
      ['eXIf', canary],
    ]),
  webp: async () =>
    withWebpChunks(
      await makeImage('webp'),
      0x0c,
      [['none', canary]],
      [
        ['EXIF', text('Exif\0\0', CANARY)],
        ['XMP ', text(XMP)],
        ['more', canary],
      ],
    ),
} as const

describe.each(['jpeg', 'png', 'webp'] as const)('of a %s image', (format) => {
  test('pixels and XMP are extracted, and no other text', async () => {
    const original = await DRESSED[format]()
    const { bytes, xmp, frames } = await extractEssentials(original, `image/${format}`)
    expect([xmp, frames, Buffer.from(bytes).includes(CANARY)]).toEqual([XMP, 1, false])
    const [found, wanted] = await Promise.all([bytes, original].map((file) => sharp(file).raw().toBuffer()))
    expect(found?.equals(wanted ?? Buffer.alloc(0))).toBe(true)
  })

  test('a file truncated or changed at any byte is extracted, or refused with an ImageError', async () => {
    const original = await DRESSED[format]()
    for (let at = 12; at < original.length; at += 7) {
      const changed = Buffer.from(original)
      changed[at] = (changed[at] ?? 0) ^ 0xff
      for (const damaged of [original.subarray(0, at), changed]) {
        const outcome = await extractEssentials(damaged, `image/${format}`).catch((error: Error) => error.name)
        expect(typeof outcome === 'string' ? outcome : outcome.frames).toBeOneOf([1, 'ImageError'])
      }
    }
  })
})

test('an extended WebP without metadata that its header announces is decoded', async () => {
  const { bytes } = await extractEssentials(await DRESSED.webp(), 'image/webp')
  const { exif, xmp, width } = await sharp(bytes).metadata()
  expect([exif, xmp, width]).toEqual([undefined, undefined, 64])
})

const LARGE = Buffer.alloc(8 * 1_024 * 1_024, 1)

test.each([
  ['png', (png: Buffer) => withPngChunks(png, [['IDAT', LARGE]])],
  ['webp', (webp: Buffer) => withWebpChunks(webp, 0, [['VP8L', LARGE]], [])],
] as const)('the event loop runs while the parts of a large %s are copied', async (format, enlarge) => {
  const large = enlarge(await makeImage(format))
  expect(await countTurns(async () => extractEssentials(large, `image/${format}`))).toBeGreaterThanOrEqual(30)
})
