import { randomBytes } from 'node:crypto'
import sharp from 'sharp'

/** Creates a JPEG with the detail of a photograph: noise, enlarged eight times. */
export async function makePhotograph(width: number, height: number): Promise<Buffer<ArrayBuffer>> {
  const raw = { width: Math.ceil(width / 8), height: Math.ceil(height / 8), channels: 3 } as const
  const bytes = await sharp(randomBytes(raw.width * raw.height * 3), { raw })
    .resize(width, height, { fit: 'fill', kernel: 'linear' })
    .jpeg({ quality: 90 })
    .toBuffer()
  return Buffer.from(bytes)
}
