/** Chunks of a PNG (W3C PNG specification, third edition). */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { readOrientation, withoutExifPrefix, writeOrientation } from './exif-orientation.ts'
import {
  countParts,
  type EssentialImage,
  inflateCapped,
  MAX_PROFILE_BYTES,
  MAX_XMP_BYTES,
  PART_BYTES,
} from './image-parts.ts'
import { concatLarge } from '../async/concat-large.ts'
import { WorkSteps } from '../async/work-steps.ts'

const SIGNATURE_BYTES = 8
/** Length, type and checksum of a chunk. */
const FRAME_BYTES = 12
const ESSENTIAL = new Set(['IHDR', 'PLTE', 'tRNS', 'IDAT', 'IEND'])
const MAX_KEYWORD_CHARS = 79
const XMP_KEYWORD = 'XML:com.adobe.xmp'

/** @throws {ImageError} if it has too many chunks. */
export async function extractPng(png: Buffer): Promise<EssentialImage> {
  const chunks: Buffer[] = []
  /** The first of each kind. */
  const ancillary = new Map<string, Buffer>()
  const count = countParts()
  const steps = new WorkSteps()
  for (let at = SIGNATURE_BYTES; at + SIGNATURE_BYTES <= png.length;) {
    count()
    if (steps.isOver(PART_BYTES)) await nextTurn()
    const end = at + FRAME_BYTES + png.readUInt32BE(at)
    const type = png.toString('latin1', at + 4, at + 8)
    const data = png.subarray(at + 8, end - 4)
    if (ESSENTIAL.has(type)) chunks.push(png.subarray(at, end))
    else if (type === 'iTXt' ? readKeyword(data) === XMP_KEYWORD : type === 'iCCP' || type === 'eXIf') {
      if (!ancillary.has(type)) ancillary.set(type, data)
    }
    if (type === 'IEND') break
    at = end
  }
  const [profile, exif, text] = [ancillary.get('iCCP'), ancillary.get('eXIf'), ancillary.get('iTXt')]
  const orientation = exif ? readOrientation(withoutExifPrefix(exif)) : 1
  const hasProfile = profile !== undefined && (await isProfileWithinLimit(profile))
  return {
    bytes: await concatLarge([
      png.subarray(0, SIGNATURE_BYTES),
      ...chunks.slice(0, 1),
      ...(hasProfile ? [writeChunk('iCCP', profile)] : []),
      ...(orientation === 1 ? [] : [writeChunk('eXIf', writeOrientation(orientation))]),
      ...chunks.slice(1),
    ]),
    frames: 1,
    xmp: text ? await readXmp(text) : null,
  }
}

/** Returns the text before the first zero byte; empty if it is too long. */
function readKeyword(data: Buffer): string {
  const end = data.subarray(0, MAX_KEYWORD_CHARS + 1).indexOf(0)
  return data.toString('latin1', 0, Math.max(0, end))
}

/** The profile follows its name, a zero byte, and one byte for the compression method. */
async function isProfileWithinLimit(data: Buffer): Promise<boolean> {
  return (await inflateCapped(data.subarray(readKeyword(data).length + 2), MAX_PROFILE_BYTES)) !== null
}

/** International text: keyword, compression flag, method, language, translated keyword, text. */
async function readXmp(data: Buffer): Promise<string | null> {
  const flags = XMP_KEYWORD.length + 1
  const languageEnd = data.indexOf(0, flags + 2)
  const keywordEnd = languageEnd === -1 ? -1 : data.indexOf(0, languageEnd + 1)
  if (keywordEnd === -1) return null
  const text = data.subarray(keywordEnd + 1)
  const xmp = data[flags] === 1 ? await inflateCapped(text, MAX_XMP_BYTES) : text
  return xmp === null || xmp.length > MAX_XMP_BYTES ? null : xmp.toString('utf8')
}

function writeChunk(type: string, data: Buffer): Buffer {
  const chunk = Buffer.alloc(FRAME_BYTES + data.length)
  chunk.writeUInt32BE(data.length)
  chunk.write(type, 4, 'latin1')
  data.copy(chunk, 8)
  chunk.writeUInt32BE(crc32(chunk.subarray(4, -4)), chunk.length - 4)
  return chunk
}
