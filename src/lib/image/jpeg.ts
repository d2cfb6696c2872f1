/**
 * Segments of a JPEG (ITU-T T.81, annex B). A file without an end marker gets one: browsers show these files, and with
 * the marker libjpeg reports most kinds of missing data. This module detects the rest.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { readOrientation, withoutExifPrefix, writeOrientation } from './exif-orientation.ts'
import { CUT_SHORT, ImageError } from './image-error.ts'
import { countParts, type EssentialImage, MAX_PROFILE_BYTES, PART_BYTES } from './image-parts.ts'
import { concatLarge } from '../async/concat-large.ts'
import { WorkSteps } from '../async/work-steps.ts'

const MARKER = 0xff
const END_MARKER = 0xd9
const START_OF_SCAN = 0xda
/** Frame headers, tables, scans and restart intervals: all that decoding reads. */
const isDecodingMarker = (marker: number) => (marker >= 0xc0 && marker <= 0xcf) || (marker >= 0xda && marker <= 0xdf)
const APP0 = 0xe0
const APP1 = 0xe1
const APP2 = 0xe2
const APP14 = 0xee

const SEARCHED_AT_ONCE = 64 * 1_024

/** This many zeros at the end are missing data, unless the image is a single colour. */
const ZERO_BYTES = 16
/** Progressive frame headers: Huffman and arithmetic coding, also differential. */
const PROGRESSIVE_FRAMES: ReadonlySet<number> = new Set([0xc2, 0xc6, 0xca, 0xce])
const BASELINE_FRAMES: ReadonlySet<number> = new Set([0xc0, 0xc1, 0xc3, 0xc5, 0xc7, 0xc9, 0xcb, 0xcd, 0xcf])
const COEFFICIENTS = 64
const MAX_COMPONENTS = 4

interface Segment {
  readonly marker: number
  /** From the marker to the next segment; a scan includes its entropy-coded data. */
  readonly start: number
  readonly end: number
  /** Without marker and length; for a scan, its header only. */
  readonly payload: Buffer
}

/**
 * @throws {ImageError} if the file has too many segments, or is cut short in a way that the decoder does not detect.
 */
export async function extractJpeg(jpeg: Buffer): Promise<EssentialImage> {
  const segments: Buffer[] = [jpeg.subarray(0, 2)]
  const profile: Buffer[] = []
  const appSegments = new Map<string, Buffer>()
  const cut = new CutDetector(jpeg)
  for (const segment of readSegments(jpeg)) {
    if (segment === null) {
      await nextTurn()
      continue
    }
    cut.record(segment)
    const { marker, start, end, payload } = segment
    if (isDecodingMarker(marker)) segments.push(jpeg.subarray(start, end))
    else if (marker === APP2 && startsWith(payload, 'ICC_PROFILE\0')) profile.push(jpeg.subarray(start, end))
    else {
      const name = findAppName(marker, payload)
      if (name !== null && !appSegments.has(name)) appSegments.set(name, payload)
    }
  }
  if (cut.isCut()) throw new ImageError('NOT_READABLE', CUT_SHORT)
  const profileBytes = profile.reduce((sum, { length }) => sum + length, 0)
  const xmp = appSegments.get(XMP)
  return {
    bytes: await concatLarge([
      ...segments.slice(0, 1),
      ...writeAppSegments(appSegments),
      ...(profileBytes <= MAX_PROFILE_BYTES ? profile : []),
      ...segments.slice(1),
      Buffer.from([MARKER, END_MARKER]),
    ]),
    frames: 1,
    xmp: xmp ? xmp.toString('utf8', XMP.length) : null,
  }
}

const JFIF = 'JFIF\0'
const EXIF = 'Exif\0\0'
const XMP = 'http://ns.adobe.com/xap/1.0/\0'
const ADOBE = 'Adobe'

function findAppName(marker: number, payload: Buffer): string | null {
  if (marker === APP0) return startsWith(payload, JFIF) ? JFIF : null
  if (marker === APP1) return [EXIF, XMP].find((name) => startsWith(payload, name)) ?? null
  return marker === APP14 && startsWith(payload, ADOBE) ? ADOBE : null
}

/** Writes JFIF without its thumbnail and Adobe's segment, which define the colour encoding, and the orientation. */
function writeAppSegments(segments: ReadonlyMap<string, Buffer>): Buffer[] {
  const [jfif, exif, adobe] = [segments.get(JFIF), segments.get(EXIF), segments.get(ADOBE)]
  const orientation = exif ? readOrientation(withoutExifPrefix(exif)) : 1
  return [
    ...(jfif && jfif.length >= 14 ? [writeSegment(APP0, jfif.subarray(0, 12), Buffer.alloc(2))] : []),
    ...(orientation === 1 ? [] : [writeSegment(APP1, Buffer.from(EXIF), writeOrientation(orientation))]),
    ...(adobe ? [writeSegment(APP14, adobe.subarray(0, 12))] : []),
  ]
}

function writeSegment(marker: number, ...parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 2)
  return Buffer.concat([Buffer.from([MARKER, marker, length >> 8, length & 0xff]), ...parts])
}

function startsWith(payload: Buffer, text: string): boolean {
  return payload.toString('latin1', 0, text.length) === text
}

/**
 * Yields segments up to the end marker or the end of the bytes, and null after each step of work. Skips markers without
 * a length, and bytes between segments.
 */
function* readSegments(jpeg: Buffer): Generator<Segment | null> {
  const count = countParts()
  const steps = new WorkSteps()
  for (let start = yield* findMarker(jpeg, 2, steps); start !== -1;) {
    const marker = jpeg[start + 1] ?? 0
    if (marker === END_MARKER || start + 4 > jpeg.length) {
      yield { marker, start, end: jpeg.length, payload: jpeg.subarray(jpeg.length) }
      return
    }
    count()
    const headerEnd = start + 2 + jpeg.readUInt16BE(start + 2)
    const next = yield* findMarker(jpeg, headerEnd, steps)
    const end = marker !== START_OF_SCAN ? headerEnd : next === -1 ? jpeg.length - endsInHalfMarker(jpeg) : next
    yield { marker, start, end, payload: jpeg.subarray(start + 4, headerEnd) }
    if (steps.isOver(PART_BYTES)) yield null
    start = next
  }
}

/** A trailing half marker would swallow the appended end marker. */
function endsInHalfMarker(jpeg: Buffer): 0 | 1 {
  return jpeg.at(-1) === MARKER ? 1 : 0
}

/**
 * Finds the next marker with a length, or the end marker; -1 if there is none. Scans byte by byte: a crafted file would
 * cause millions of calls of `indexOf(0xff)`.
 */
function* findMarker(jpeg: Buffer, from: number, steps: WorkSteps): Generator<null, number> {
  for (let start = from; start < jpeg.length - 1; start += SEARCHED_AT_ONCE) {
    const found = findMarkerWithin(jpeg, start, Math.min(jpeg.length - 1, start + SEARCHED_AT_ONCE))
    if (found !== -1) return found
    if (steps.isOver(SEARCHED_AT_ONCE)) yield null
  }
  return -1
}

function findMarkerWithin(jpeg: Buffer, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    if (jpeg[at] !== MARKER) continue
    const marker = jpeg[at + 1] ?? 0
    // Not segments: fill bytes, data bytes, restarts and other markers without a length.
    const isSegment = marker > 0x01 && marker !== MARKER && !(marker >= 0xd0 && marker <= 0xd8)
    if (isSegment) return at
  }
  return -1
}

/**
 * Detects missing data in a JPEG without an end marker that the decoder does not detect: missing scans of a progressive
 * file, and trailing zeros, which an interrupted copy leaves and which decode to a flat colour.
 */
class CutDetector {
  readonly #endsInZeros: boolean
  /** For each component (annex G), the missing bits of each coefficient; all are missing before its first scan. */
  readonly #missing = new Map<number, Uint8Array>()
  #isWhole = false

  constructor(jpeg: Buffer) {
    this.#endsInZeros = jpeg.subarray(-ZERO_BYTES).every((byte) => byte === 0)
  }

  record({ marker, start, end, payload }: Segment): void {
    const isHalf = end - start < 4
    if (marker === END_MARKER || isHalf || (BASELINE_FRAMES.has(marker) && !this.#endsInZeros)) this.#isWhole = true
    if (PROGRESSIVE_FRAMES.has(marker)) this.#addComponents(payload)
    if (marker === START_OF_SCAN) this.#recordScan(payload)
  }

  isCut(): boolean {
    return !this.#isWhole && (this.#endsInZeros || [...this.#missing.values()].some((bits) => bits.some((n) => n > 0)))
  }

  #addComponents(frame: Buffer): void {
    for (let n = 0; n < Math.min(frame[5] ?? 0, MAX_COMPONENTS); n++) {
      this.#missing.set(frame[6 + 3 * n] ?? 0, new Uint8Array(COEFFICIENTS).fill(COEFFICIENTS))
    }
  }

  #recordScan(scan: Buffer): void {
    const count = Math.min(scan[0] ?? 0, MAX_COMPONENTS)
    const [first = 0, last = 0, precision = 0] = scan.subarray(1 + 2 * count)
    for (let n = 0; n < count; n++) {
      this.#missing.get(scan[1 + 2 * n] ?? 0)?.fill(precision & 0x0f, first, last + 1)
    }
  }
}
