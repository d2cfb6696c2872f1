/** The image types that are accepted from outside. */
export type ImageType = 'image/jpeg' | 'image/png' | 'image/webp'

// Hex of the first bytes; a WebP file is a RIFF container of any length with WEBP in it.
const SIGNATURES: readonly (readonly [ImageType, RegExp])[] = [
  ['image/jpeg', /^ffd8ff/],
  ['image/png', /^89504e470d0a1a0a/],
  ['image/webp', /^52494646.{8}57454250/],
]

/**
 * The image type that the first bytes declare, whatever a file name or a content type header says; null for any other.
 * It says which decoder to try, not that the bytes decode.
 */
export function findImageType(bytes: Uint8Array): ImageType | null {
  const start = Buffer.from(bytes.subarray(0, 12)).toString('hex')
  return SIGNATURES.find(([, signature]) => signature.test(start))?.[0] ?? null
}
