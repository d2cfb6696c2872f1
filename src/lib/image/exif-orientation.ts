/**
 * Reads and writes the orientation, the one EXIF field that decoding needs. Decoders get a new block with this field
 * only.
 */

const ORIENTATION = 0x0112
const SHORT = 3
const ENTRY_BYTES = 12
const PREFIX = Buffer.from('Exif\0\0')

/** Removes the prefix that the EXIF data of JPEG files has, and of some WebP and PNG files, too. */
export function withoutExifPrefix(exif: Buffer): Buffer {
  return exif.subarray(0, PREFIX.length).equals(PREFIX) ? exif.subarray(PREFIX.length) : exif
}

/** Reads the orientation from a TIFF structure; 1, upright, if it has no valid one. */
export function readOrientation(tiff: Buffer): number {
  const order = tiff.toString('latin1', 0, 2)
  if (tiff.length < 8 || (order !== 'II' && order !== 'MM')) return 1
  const isLittle = order === 'II'
  const u16 = (at: number) => (isLittle ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at))
  const directory = isLittle ? tiff.readUInt32LE(4) : tiff.readUInt32BE(4)
  if (directory + 2 > tiff.length) return 1
  const end = Math.min(directory + 2 + u16(directory) * ENTRY_BYTES, tiff.length)
  for (let at = directory + 2; at + ENTRY_BYTES <= end; at += ENTRY_BYTES) {
    if (u16(at) !== ORIENTATION || u16(at + 2) !== SHORT) continue
    const value = u16(at + 8)
    return value >= 1 && value <= 8 ? value : 1
  }
  return 1
}

/** Returns a TIFF structure whose only field is the orientation. */
export function writeOrientation(orientation: number): Buffer {
  const tiff = Buffer.alloc(26)
  tiff.write('MM\0*', 'latin1')
  tiff.writeUInt32BE(8, 4)
  tiff.writeUInt16BE(1, 8)
  tiff.writeUInt16BE(ORIENTATION, 10)
  tiff.writeUInt16BE(SHORT, 12)
  tiff.writeUInt32BE(1, 14)
  tiff.writeUInt16BE(orientation, 18)
  return tiff
}
