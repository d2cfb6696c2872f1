/**
 * JPEGs without an end marker. Browsers show such a file; libjpeg stops with an error unless the marker is there. With
 * it, libjpeg reports most kinds of missing data; the others are found here.
 */

const MARKER = 0xff
const END_MARKER = 0xd9
/** As many at the end are no image data, unless all of it is one colour. */
const ZERO_BYTES = 16
const START_OF_SCAN = 0xda
/** Progressive frame headers: Huffman and arithmetic coding, also differential. */
const PROGRESSIVE_FRAMES: ReadonlySet<number> = new Set([0xc2, 0xc6, 0xca, 0xce])
const BASELINE_FRAMES: ReadonlySet<number> = new Set([0xc0, 0xc1, 0xc3, 0xc5, 0xc7, 0xc9, 0xcb, 0xcd, 0xcf])
const COEFFICIENTS = 64
const MAX_COMPONENTS = 4

/** The bytes with an end marker behind them; data after a marker that is there already is ignored by every decoder. */
export function withEndMarker(bytes: Uint8Array): Uint8Array {
  // Half a marker would swallow the one that is added.
  const whole = bytes.at(-1) === MARKER ? bytes.subarray(0, -1) : bytes
  return Buffer.concat([whole, Buffer.from([MARKER, END_MARKER])])
}

/**
 * Whether data is missing that the decoder does not miss. Of a JPEG without an end marker these are the scans of a
 * progressive file that never came, and a rest of zeros, which a broken copy leaves and which decodes to a flat colour.
 * One pass over the markers, without decoding.
 */
export function isCutUnnoticed(jpeg: Uint8Array): boolean {
  const bytes = Buffer.from(jpeg.buffer, jpeg.byteOffset, jpeg.byteLength)
  const endsInZeros = bytes.subarray(-ZERO_BYTES).every((byte) => byte === 0)
  /** For each component (ITU-T T.81, annex G) the bits still missing of each coefficient; all, before its first scan. */
  const missing = new Map<number, Uint8Array>()
  for (let at = 2; ;) {
    at = bytes.indexOf(MARKER, at)
    const marker = at === -1 ? undefined : bytes[at + 1]
    if (at === -1 || marker === undefined) break
    // Fill bytes before a marker; then data bytes, restarts and other markers without a length.
    if (marker === MARKER) at += 1
    else if (marker <= 0x01 || (marker >= 0xd0 && marker <= 0xd8)) at += 2
    else if (marker === END_MARKER || at + 4 > bytes.length) return false
    else if (BASELINE_FRAMES.has(marker) && !endsInZeros) return false
    else {
      const length = bytes.readUInt16BE(at + 2)
      const segment = bytes.subarray(at + 4, at + 2 + length)
      if (PROGRESSIVE_FRAMES.has(marker)) addComponents(missing, segment)
      if (marker === START_OF_SCAN) noteScan(missing, segment)
      at += 2 + length
    }
  }
  return endsInZeros || [...missing.values()].some((bits) => bits.some((count) => count > 0))
}

function addComponents(missing: Map<number, Uint8Array>, frame: Buffer): void {
  for (let n = 0; n < Math.min(frame[5] ?? 0, MAX_COMPONENTS); n++) {
    missing.set(frame[6 + 3 * n] ?? 0, new Uint8Array(COEFFICIENTS).fill(COEFFICIENTS))
  }
}

function noteScan(missing: Map<number, Uint8Array>, scan: Buffer): void {
  const count = Math.min(scan[0] ?? 0, MAX_COMPONENTS)
  const [first = 0, last = 0, precision = 0] = scan.subarray(1 + 2 * count)
  for (let n = 0; n < count; n++) missing.get(scan[1 + 2 * n] ?? 0)?.fill(precision & 0x0f, first, last + 1)
}
