/**
 * The colour space in which tones are compared and shifted: l = ln(Y + 0.006), in which doubling the light is nearly
 * the same step on dark and bright skin, and CIELAB's a and b. Interleaved like RGB. Roots and powers are tabulated,
 * because they took half the time of a swap's arithmetic.
 *
 * Shifting plain CIELAB turns lids teal, shifting logarithms of R, G and B turns shadows violet; this mix does neither.
 */
import type { FloatPicture } from './picture.ts'

const DARKEST = 0.006
// Needs no interpolation: the nearest entry is off by less than a twentieth of a grey level.
const STEPS = 8192
const LINEAR_STEPS = 16
const LINEAR = Float32Array.from({ length: 255 * LINEAR_STEPS + 1 }, (_, i) => {
  const s = i / LINEAR_STEPS / 255
  return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4
})
// Indexed by the square root: evenly spaced entries are too coarse for dark values.
const ENCODED = Float32Array.from({ length: STEPS + 1 }, (_, i) => {
  const c = (i / STEPS) ** 2
  return 255 * (c <= 0.0031308 ? c * 12.92 : 1.055 * c ** (1 / 2.4) - 0.055)
})
const ROOT_END = 1.1
const ROOT = Float32Array.from({ length: STEPS + 1 }, (_, i) => findLabRoot((i / STEPS) ** 2 * ROOT_END))
const LOG_FROM = Math.log(DARKEST)
const LOG_SPAN = Math.log(ROOT_END) - LOG_FROM
const LOG_ROOT = Float32Array.from({ length: STEPS + 1 }, (_, i) =>
  findLabRoot(Math.exp(LOG_FROM + (i / STEPS) * LOG_SPAN) - DARKEST),
)

/** Writes l, a, b of one colour, 0 to 255 each, into `into` at `at`. */
export function writeTone(r: number, g: number, b: number, into: Float32Array, at: number): void {
  const lr = toLinear(r)
  const lg = toLinear(g)
  const lb = toLinear(b)
  const y = 0.2126 * lr + 0.7152 * lg + 0.0722 * lb
  const fx = toLabRoot(0.43395 * lr + 0.37622 * lg + 0.18983 * lb)
  const fy = toLabRoot(y)
  const fz = toLabRoot(0.01775 * lr + 0.10946 * lg + 0.87279 * lb)
  into[at] = Math.log(y + DARKEST)
  into[at + 1] = 500 * (fx - fy)
  into[at + 2] = 200 * (fy - fz)
}

/** Inverse of `writeTone`; clips colours outside sRGB. */
export function writeRgb(l: number, a: number, b: number, into: Float32Array, at: number): void {
  const fy = toRootOfLog(l)
  const x = fromLabRoot(fy + a / 500)
  const y = fromLabRoot(fy)
  const z = fromLabRoot(fy - b / 200)
  into[at] = toEncoded(3.07995 * x - 1.53715 * y - 0.5428 * z)
  into[at + 1] = toEncoded(-0.92125 * x + 1.87599 * y + 0.04526 * z)
  into[at + 2] = toEncoded(0.05289 * x - 0.20404 * y + 1.15115 * z)
}

export function toTone(picture: FloatPicture): Float32Array {
  const tone = new Float32Array(picture.rgb.length)
  const { rgb } = picture
  for (let p = 0; p < tone.length; p += 3) writeTone(rgb[p] ?? 0, rgb[p + 1] ?? 0, rgb[p + 2] ?? 0, tone, p)
  return tone
}

/** Converts l to CIELAB lightness, 0 to 100. */
export function toLightness(l: number): number {
  return 116 * toRootOfLog(l) - 16
}

function toLinear(value: number): number {
  const clamped = value < 0 ? 0 : value > 255 ? 255 : value
  return LINEAR[(clamped * LINEAR_STEPS + 0.5) | 0] ?? 0
}

function toEncoded(linear: number): number {
  const share = linear < 0 ? 0 : linear > 1 ? 1 : linear
  return ENCODED[(Math.sqrt(share) * STEPS + 0.5) | 0] ?? 0
}

function toLabRoot(t: number): number {
  const share = t < 0 ? 0 : t > ROOT_END ? 1 : t / ROOT_END
  return ROOT[(Math.sqrt(share) * STEPS + 0.5) | 0] ?? 0
}

/** CIELAB's root of Y, computed from l. */
function toRootOfLog(l: number): number {
  const share = (l - LOG_FROM) / LOG_SPAN
  return LOG_ROOT[((share < 0 ? 0 : share > 1 ? 1 : share) * STEPS + 0.5) | 0] ?? 0
}

function findLabRoot(t: number): number {
  return t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116
}

function fromLabRoot(f: number): number {
  return f > 0.206893 ? f * f * f : (f - 16 / 116) / 7.787
}
