/** Images with few pixels whose other parts fill a decoder's memory. */
import { crc32, deflateSync } from 'node:zlib'
import { makeImage, makeManyFrames, withLargeProfile } from './images.ts'

const MB = 1_000_000

function pngChunk(type: string, data: Uint8Array): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const ends = Buffer.alloc(8)
  ends.writeUInt32BE(data.byteLength, 0)
  ends.writeUInt32BE(crc32(named), 4)
  return Buffer.concat([ends.subarray(0, 4), named, ends.subarray(4)])
}

/** Inserts chunks after the header, all of them `times` times. */
export function withPngChunks(png: Buffer, chunks: readonly (readonly [string, Uint8Array])[], times = 1): Buffer {
  const headerEnd = 33
  const once = Buffer.concat(chunks.map(([type, data]) => pngChunk(type, data)))
  return Buffer.concat([png.subarray(0, headerEnd), repeatBytes(once, times), png.subarray(headerEnd)])
}

const repeatBytes = (bytes: Buffer, times: number) => Buffer.alloc(bytes.byteLength * times, bytes)

/** Inserts segments at the beginning. */
export function withJpegSegments(jpeg: Buffer, segments: readonly (readonly [number, Uint8Array])[]): Buffer {
  const parts = segments.flatMap(([marker, data]) => {
    const length = data.byteLength + 2
    return [Buffer.from([0xff, marker, length >> 8, length & 0xff]), data]
  })
  return Buffer.concat([jpeg.subarray(0, 2), ...parts, jpeg.subarray(2)])
}

function riffChunk(name: string, data: Uint8Array): Buffer {
  const header = Buffer.alloc(8)
  header.write(name, 'latin1')
  header.writeUInt32LE(data.byteLength, 4)
  return Buffer.concat([header, data, Buffer.alloc(data.byteLength % 2)])
}

/**
 * Converts a plain WebP of 64 × 48 to an extended one with chunks `before` (each `times` times) and `behind` its
 * pixels.
 */
export function withWebpChunks(
  webp: Buffer,
  flags: number,
  before: readonly (readonly [string, Uint8Array])[],
  behind: readonly (readonly [string, Uint8Array])[],
  times = 1,
): Buffer {
  const header = riffChunk('VP8X', Buffer.from([flags, 0, 0, 0, 63, 0, 0, 47, 0, 0]))
  const toChunks = (chunks: typeof before) => Buffer.concat(chunks.map(([name, data]) => riffChunk(name, data)))
  const pixels = webp.subarray(12)
  return riffChunk(
    'RIFF',
    Buffer.concat([Buffer.from('WEBP'), header, repeatBytes(toChunks(before), times), pixels, toChunks(behind)]),
  )
}

/** Creates EXIF data whose many fields all refer to the same bytes. */
export function makeExifBomb(fields: number, bytesOfEach: number): Buffer {
  const directory = 8
  const data = directory + 2 + fields * 12 + 4
  const exif = Buffer.alloc(data + bytesOfEach, 'x')
  exif.write('MM\0*', 'latin1')
  exif.writeUInt32BE(directory, 4)
  exif.writeUInt16BE(fields, directory)
  for (let n = 0; n < fields; n++) {
    const at = directory + 2 + n * 12
    exif.writeUInt16BE(0x010e, at)
    exif.writeUInt16BE(2, at + 2)
    exif.writeUInt32BE(bytesOfEach, at + 4)
    exif.writeUInt32BE(data, at + 8)
  }
  exif.writeUInt32BE(0, data - 4)
  return exif
}

const repeat = <T>(count: number, make: (n: number) => T): T[] => Array.from({ length: count }, (_none, n) => make(n))
const deflatedZeros = (bytes: number) => deflateSync(Buffer.alloc(bytes), { level: 9 })
const text = (value: string) => Buffer.from(value, 'latin1')
/** The maximum payload of a JPEG segment. */
const SEGMENT_BYTES = 65_533

/** Each is the smallest effective attack file of its kind. Nearly all are decodable, and none may need much memory. */
export const IMAGE_BOMBS: Readonly<Record<string, () => Promise<Buffer>>> = {
  'a PNG with compressed texts': async () => {
    const zeros = deflatedZeros(45 * MB)
    const chunks = repeat(6, (n) => ['zTXt', Buffer.concat([text(`k${n}\0\0`), zeros])] as const)
    return withPngChunks(await makeImage('png'), chunks)
  },
  'a PNG with compressed international texts': async () => {
    const zeros = deflatedZeros(45 * MB)
    const chunks = repeat(6, (n) => ['iTXt', Buffer.concat([text(`k${n}\0\x01\0\0\0`), zeros])] as const)
    return withPngChunks(await makeImage('png'), chunks)
  },
  'a PNG with compressed XMP': async () => {
    const xmp = Buffer.concat([text('XML:com.adobe.xmp\0\x01\0\0\0'), deflatedZeros(200 * MB)])
    return withPngChunks(await makeImage('png'), [['iTXt', xmp]])
  },
  'a PNG with plain texts': async () => {
    const chunks = repeat(280, (n) => ['tEXt', Buffer.concat([text(`k${n}\0`), Buffer.alloc(65_000, 'x')])] as const)
    return withPngChunks(await makeImage('png'), chunks)
  },
  'a PNG with a million empty chunks': async () =>
    withPngChunks(await makeImage('png'), [['teSt', Buffer.alloc(0)]], 1_000_000),
  'a PNG with a colour profile that inflates': async () => {
    const profile = Buffer.concat([text('icc\0\0'), deflatedZeros(200 * MB)])
    return withPngChunks(await makeImage('png'), [['iCCP', profile]])
  },
  'a PNG with EXIF': async () => withPngChunks(await makeImage('png'), [['eXIf', makeExifBomb(5_000, 500_000)]]),
  'a JPEG with EXIF': async () => {
    const exif = Buffer.concat([text('Exif\0\0'), makeExifBomb(2_700, 32_000)])
    return withJpegSegments(await makeImage(), [[0xe1, exif]])
  },
  'a JPEG with EXIF in three hundred segments': async () => {
    const exif = Buffer.concat([text('Exif\0\0'), makeExifBomb(2_700, 32_000)])
    return withJpegSegments(
      await makeImage(),
      repeat(300, () => [0xe1, exif] as const),
    )
  },
  'a JPEG with 19 MB of application segments': async () =>
    withJpegSegments(
      await makeImage(),
      repeat(290, (n) => [0xe0 + (n % 16), Buffer.alloc(SEGMENT_BYTES, n)] as const),
    ),
  'a JPEG with 19 MB of comments': async () =>
    withJpegSegments(
      await makeImage(),
      repeat(290, () => [0xfe, Buffer.alloc(SEGMENT_BYTES, 'x')] as const),
    ),
  'a JPEG with a colour profile of four megabytes': async () => withLargeProfile(await makeImage()),
  'a JPEG with four million empty segments': async () =>
    Buffer.concat([text('\xff\xd8'), Buffer.alloc(16 * MB, Buffer.from([0xff, 0xfe, 0, 2])), await makeImage()]),
  'a JPEG of 19 MB of fill bytes': async () => {
    const jpeg = await makeImage()
    return Buffer.concat([jpeg.subarray(0, 2), Buffer.alloc(19 * MB, 0xff), jpeg.subarray(2)])
  },
  'a WebP with EXIF': async () =>
    withWebpChunks(await makeImage('webp'), 0x08, [], [['EXIF', makeExifBomb(60_000, 500_000)]]),
  'a WebP with a colour profile of 19 MB': async () =>
    withWebpChunks(await makeImage('webp'), 0x20, [['ICCP', Buffer.alloc(19 * MB, 1)]], []),
  'a WebP with XMP of 19 MB': async () =>
    withWebpChunks(await makeImage('webp'), 0x04, [], [['XMP ', Buffer.alloc(19 * MB, 'x')]]),
  'a WebP with a million unknown chunks': async () =>
    withWebpChunks(await makeImage('webp'), 0, [['none', Buffer.alloc(0)]], [], 1_000_000),
  'a WebP with a thousand frames': async () => makeManyFrames(1_000, 120),
  'a WebP with ten thousand frames': async () => makeManyFrames(10_000),
}
