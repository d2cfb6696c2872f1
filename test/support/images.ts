/** Images for tests and benchmarks: valid ones and hostile ones. */
import sharp from 'sharp'

/** Creates an image of random noise: each is unique and compresses badly. */
export async function makeImage(type: 'jpeg' | 'png' | 'webp' = 'jpeg', width = 64, height = 48): Promise<Buffer> {
  const pixels = Buffer.from(Array.from({ length: width * height * 3 }, () => Math.floor(Math.random() * 256)))
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .toFormat(type)
    .toBuffer()
}

/** Bytes that must be rejected, by name. */
export const REJECTED: Readonly<Record<string, () => Promise<Buffer> | Buffer>> = {
  'an SVG': () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'),
  'an SVG that loads an external image': () =>
    Buffer.from('<svg xmlns:xlink="http://www.w3.org/1999/xlink"><image xlink:href="http://127.0.0.1/"/></svg>'),
  'an HTML page': () => Buffer.from('<!doctype html><script>alert(1)</script>'),
  'a GIF': async () =>
    sharp(await makeImage('png'))
      .gif()
      .toBuffer(),
  'an AVIF': async () =>
    sharp(await makeImage('png'))
      .avif()
      .toBuffer(),
  'a HEIC by its brand': () =>
    Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from('ftypheic0000heicmif1'), Buffer.alloc(100)]),
  'a TIFF': async () =>
    sharp(await makeImage('png'))
      .tiff()
      .toBuffer(),
  'a PDF': () => Buffer.from('%PDF-1.7\n1 0 obj'),
  'the first bytes of a JPEG': () => Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16]),
  'half a JPEG': async () => (await makeImage('jpeg', 400, 400)).subarray(0, 5_000),
  'half a PNG': async () => (await makeImage('png', 400, 400)).subarray(0, 5_000),
  'half a WebP': async () => (await makeImage('webp', 400, 400)).subarray(0, 5_000),
  'a PNG of 30,000 × 30,000': () => bombPng(30_000, 30_000),
  'a PNG of one row of 100,000,000 pixels': () => bombPng(100_000_000, 1),
  'a JPEG of 53 megapixels': async () =>
    sharp({ create: { width: 8_300, height: 6_400, channels: 3, background: '#888' } })
      .jpeg({ quality: 1 })
      .toBuffer(),
  'a WebP with a thousand frames, 53 megapixels in total': async () => {
    const flat = sharp({ create: { width: 231, height: 231, channels: 3, background: '#888' } })
    return makeManyFrames(1_000, 231, await flat.webp().toBuffer())
  },
  'a JPEG of a hundred channels': async () => {
    const jpeg = await makeImage()
    return Buffer.concat([jpeg.subarray(0, 2), frameHeader(100), jpeg.subarray(2)])
  },
  'a WebP of ten thousand frames': async () => makeManyFrames(10_000),
  'a PNG that declares a palette but has none': () => {
    const png = bombPng(10, 10)
    png[25] = 3
    return png
  },
}

/** Creates a PNG whose header declares more pixels than its data has. */
function bombPng(width: number, height: number): Buffer {
  const header = Buffer.alloc(33)
  Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex').copy(header)
  header.writeUInt32BE(width, 16)
  header.writeUInt32BE(height, 20)
  header[24] = 8
  header[25] = 2
  return Buffer.concat([header, Buffer.alloc(64)])
}

/** Returns the frame header of a JPEG of 64 × 48 with `components` components. */
function frameHeader(components: number): Buffer {
  const length = 8 + 3 * components
  const start = Buffer.from([0xff, 0xc0, length >> 8, length & 0xff, 8, 0, 48, 0, 64, components])
  return Buffer.concat([start, ...Array.from({ length: components }, (_none, id) => Buffer.from([id + 1, 0x11, 0]))])
}

/** Inserts four megabytes that are declared as the colour profile. */
export function withLargeProfile(jpeg: Buffer): Buffer {
  const count = 64
  const chunks = Array.from({ length: count }, (_none, index) => {
    const body = Buffer.concat([Buffer.from('ICC_PROFILE\0'), Buffer.from([index + 1, count]), Buffer.alloc(65_519, 1)])
    const length = body.byteLength + 2
    return Buffer.concat([Buffer.from([0xff, 0xe2, length >> 8, length & 0xff]), body])
  })
  return Buffer.concat([jpeg.subarray(0, 2), ...chunks, jpeg.subarray(2)])
}

/** Creates an animation of `count` equal frames. */
export async function makeManyFrames(count: number, side = 4, image?: Buffer): Promise<Buffer> {
  const frame = (image ?? (await makeImage('webp', side, side))).subarray(12)
  const u24 = (value: number) => Buffer.from([value & 0xff, (value >> 8) & 0xff, value >> 16])
  const chunk = (name: string, body: Buffer) => {
    const length = Buffer.alloc(4)
    length.writeUInt32LE(body.byteLength)
    return Buffer.concat([Buffer.from(name), length, body])
  }
  const size = Buffer.concat([u24(side - 1), u24(side - 1)])
  const placed = Buffer.concat([u24(0), u24(0), size, u24(100), Buffer.from([0]), frame])
  const header = chunk('VP8X', Buffer.concat([Buffer.from([2, 0, 0, 0]), size]))
  const frames = Array.from({ length: count }, () => chunk('ANMF', placed))
  return chunk('RIFF', Buffer.concat([Buffer.from('WEBP'), header, chunk('ANIM', Buffer.alloc(6)), ...frames]))
}
