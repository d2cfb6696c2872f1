/** Chunks of a WebP (RFC 9649). */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { readOrientation, withoutExifPrefix, writeOrientation } from './exif-orientation.ts'
import { countParts, type EssentialImage, MAX_PROFILE_BYTES, MAX_XMP_BYTES, PART_BYTES } from './image-parts.ts'
import { concatLarge } from '../async/concat-large.ts'
import { WorkSteps } from '../async/work-steps.ts'

const RIFF_HEADER_BYTES = 12
const CHUNK_HEADER_BYTES = 8
/** A frame's position, size, duration and flags, before its own chunks. */
const FRAME_HEADER_BYTES = 16
const IMAGE_DATA = new Set(['ALPH', 'VP8 ', 'VP8L'])
/** Flags of the extended header; the others are those of transparency and animation. */
const HAS_PROFILE = 0x20
const HAS_EXIF = 0x08
const HAS_XMP = 0x04

interface Chunk {
  readonly name: string
  readonly data: Buffer
}

/** @throws {ImageError} if it has too many chunks. */
export async function extractWebp(webp: Buffer): Promise<EssentialImage> {
  const end = Math.min(webp.length < RIFF_HEADER_BYTES ? 0 : webp.readUInt32LE(4) + CHUNK_HEADER_BYTES, webp.length)
  /** The first of each kind. */
  const found = new Map<string, Buffer>()
  let frames = 0
  for await (const { name, data } of readInSteps(readChunks(webp, RIFF_HEADER_BYTES, end))) {
    if (name === 'ANMF') frames += 1
    if (!found.has(name)) found.set(name, data)
  }
  const [exif, xmp, frame] = [found.get('EXIF'), found.get('XMP '), found.get('ANMF')]
  if (frame) found.set('ANMF', await extractFrame(frame))
  return {
    bytes: await writeFile(listChunks(found, exif ? readOrientation(withoutExifPrefix(exif)) : 1)),
    frames: Math.max(1, frames),
    xmp: xmp && xmp.length <= MAX_XMP_BYTES ? xmp.toString('utf8') : null,
  }
}

/** Lists the chunks to keep, in the order that the specification requires. */
function listChunks(found: ReadonlyMap<string, Buffer>, orientation: number): Chunk[] {
  const extended = found.get('VP8X')
  const frame = found.get('ANMF')
  const pick = (...names: readonly string[]): Chunk[] =>
    names.flatMap((name) => {
      const data = found.get(name)
      return data ? [{ name, data }] : []
    })
  if (!extended || extended.length === 0) return pick('VP8 ', 'VP8L').slice(0, 1)
  const profile = pick('ICCP').filter(({ data }) => data.length <= MAX_PROFILE_BYTES)
  const header = Buffer.from(extended)
  const withoutFlags = (header[0] ?? 0) & ~(HAS_PROFILE | HAS_EXIF | HAS_XMP)
  header[0] = withoutFlags | (profile.length > 0 ? HAS_PROFILE : 0) | (orientation === 1 ? 0 : HAS_EXIF)
  return [
    { name: 'VP8X', data: header },
    ...profile,
    ...pick('ANIM'),
    ...(frame ? [{ name: 'ANMF', data: frame }] : pick('ALPH', 'VP8 ', 'VP8L')),
    ...(orientation === 1 ? [] : [{ name: 'EXIF', data: writeOrientation(orientation) }]),
  ]
}

async function extractFrame(frame: Buffer): Promise<Buffer> {
  const parts = [frame.subarray(0, FRAME_HEADER_BYTES)]
  for await (const chunk of readInSteps(readChunks(frame, FRAME_HEADER_BYTES, frame.length))) {
    if (IMAGE_DATA.has(chunk.name)) parts.push(...writeChunk(chunk))
  }
  return concatLarge(parts)
}

/** Yields to the event loop between steps. */
async function* readInSteps(chunks: Iterable<Chunk>): AsyncGenerator<Chunk> {
  const steps = new WorkSteps()
  for (const chunk of chunks) {
    if (steps.isOver(PART_BYTES)) await nextTurn()
    yield chunk
  }
}

function* readChunks(file: Buffer, start: number, end: number): Generator<Chunk> {
  const count = countParts()
  for (let at = start; at + CHUNK_HEADER_BYTES <= end;) {
    count()
    const length = file.readUInt32LE(at + 4)
    const from = at + CHUNK_HEADER_BYTES
    yield { name: file.toString('latin1', at, at + 4), data: file.subarray(from, Math.min(from + length, end)) }
    at = from + length + (length % 2)
  }
}

async function writeFile(chunks: readonly Chunk[]): Promise<Buffer> {
  const parts = [Buffer.from('WEBP'), ...chunks.flatMap(writeChunk)]
  return concatLarge([
    writeHeader(
      'RIFF',
      parts.reduce((sum, { length }) => sum + length, 0),
    ),
    ...parts,
  ])
}

function writeChunk({ name, data }: Chunk): Buffer[] {
  return [writeHeader(name, data.length), data, Buffer.alloc(data.length % 2)]
}

function writeHeader(name: string, length: number): Buffer {
  const header = Buffer.alloc(CHUNK_HEADER_BYTES)
  header.write(name, 'latin1')
  header.writeUInt32LE(length, 4)
  return header
}
