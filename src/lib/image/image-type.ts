/** The accepted image types. */
export type ImageType = 'image/jpeg' | 'image/png' | 'image/webp'

// Hex of the first bytes; a WebP file is a RIFF container of any length with WEBP in it.
const SIGNATURES: readonly (readonly [ImageType, RegExp])[] = [
  ['image/jpeg', /^ffd8ff/],
  ['image/png', /^89504e470d0a1a0a/],
  ['image/webp', /^52494646.{8}57454250/],
]

/**
 * Returns the image type of the first bytes, regardless of a file name or a Content-Type header; null for any other
 * type. It says which decoder to try, not that the bytes decode.
 */
export function findImageType(bytes: Uint8Array): ImageType | null {
  const start = Buffer.from(bytes.subarray(0, 12)).toString('hex')
  return SIGNATURES.find(([, signature]) => signature.test(start))?.[0] ?? null
}

// oxlint-disable eslint/no-control-regex -- signatures are bytes, most of them control characters.

/** Formats that people send by mistake. Latin-1 of the first bytes; the first match wins. */
const OTHER_FORMATS: readonly (readonly [string, RegExp])[] = [
  // The brand of an ISO base media file (ISO/IEC 14496-12) names its format.
  ['an AVIF image', /^.{4}ftypavi[fs]/s],
  ['a HEIC image', /^.{4}ftyp(?:hei[cmsx]|hev[cmsx]|mif[12]|msf1)/s],
  ['a camera raw file', /^.{4}ftypcrx /s],
  ['a video', /^.{4}ftyp|^\x1aE\xdf\xa3/s],
  ['a GIF image', /^GIF8[79]a/],
  ['a TIFF image', /^(?:II[*+]\0|MM\0[*+])/],
  ['a JPEG XL image', /^(?:\xff\n|\0\0\0\fJXL )/],
  ['a JPEG 2000 image', /^(?:\xffO\xffQ|\0\0\0\fjP {2})/],
  ['a BMP image', /^BM.{4}\0\0\0\0/s],
  ['an icon', /^\0\0\x01\0/],
  ['a Photoshop file', /^8BPS\0[\x01\x02]/],
  ['a PDF document', /^%PDF-/],
  ['a ZIP archive', /^PK\x03\x04/],
  ['gzip data', /^\x1f\x8b/],
  [
    'an SVG image',
    /^(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--[^>]*-->\s*)?(?:<!doctype svg[^>]*>\s*)?<svg[\s>]/i,
  ],
  ['a web page', /^(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|head|body|script)/i],
  ['JSON text', /^(?:\xef\xbb\xbf)?\s*[[{]\s*["{[]/],
  ['a base64 text', /^data:image\/|^(?:\/9j\/|iVBORw0KGgo|UklGR)/],
]

// oxlint-enable eslint/no-control-regex

/** Enough for every signature above. */
const START_BYTES = 512

/** Returns why the first bytes are not accepted, as a predicate: "is a GIF image, …"; null if they are accepted. */
export function findTypeProblem(bytes: Uint8Array): string | null {
  if (bytes.byteLength === 0) return 'is empty'
  if (findImageType(bytes) !== null) return null
  const start = Buffer.from(bytes.subarray(0, START_BYTES)).toString('latin1')
  const name = OTHER_FORMATS.find(([, signature]) => signature.test(start))?.[0]
  return `${name === undefined ? 'is not' : `is ${name}, not`} a JPEG, PNG or WebP image`
}
