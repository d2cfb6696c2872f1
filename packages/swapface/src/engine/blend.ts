/**
 * Multi-band blending of donor and target with a Laplacian pyramid: fine detail is blended over a few pixels, slow
 * shading over many, which avoids both seams and ghosts. A pyramid is linear, so it is built from the difference only.
 */
import type { FloatPicture, Plane } from './picture.ts'

interface Band {
  readonly width: number
  readonly height: number
  readonly values: Float32Array
}

/** @returns the change to add to the target, three floats per pixel, -255 to 255. */
export function blendDifference(
  target: FloatPicture,
  donor: FloatPicture,
  cover: Plane,
  mask: Plane,
  levels: number,
): Float32Array {
  let fine: Band = { ...target, values: subtract(donor.rgb, target.rgb, cover.values) }
  let share: Band = mask
  const bands: { detail: Band; share: Band }[] = []
  for (let level = 0; level < levels && fine.width > 2 && fine.height > 2; level++) {
    const coarse = reduce(fine, 3)
    takeExpanded(fine, coarse)
    bands.push({ detail: fine, share })
    fine = coarse
    share = reduce(share, 1)
  }
  multiply(fine.values, share.values)
  for (const { detail, share: bandShare } of bands.toReversed()) {
    multiply(detail.values, bandShare.values)
    addExpanded(detail, fine)
    fine = detail
  }
  return fine.values
}

function subtract(a: Float32Array, b: Float32Array, cover: Float32Array): Float32Array {
  const difference = new Float32Array(a.length)
  for (let i = 0, p = 0; i < cover.length; i++, p += 3) {
    if ((cover[i] ?? 0) === 0) continue
    difference[p] = (a[p] ?? 0) - (b[p] ?? 0)
    difference[p + 1] = (a[p + 1] ?? 0) - (b[p + 1] ?? 0)
    difference[p + 2] = (a[p + 2] ?? 0) - (b[p + 2] ?? 0)
  }
  return difference
}

function multiply(values: Float32Array, share: Float32Array): void {
  for (let i = 0, p = 0; i < share.length; i++, p += 3) {
    const s = share[i] ?? 0
    values[p] = (values[p] ?? 0) * s
    values[p + 1] = (values[p + 1] ?? 0) * s
    values[p + 2] = (values[p + 2] ?? 0) * s
  }
}

/** Halves the size by averaging 2 x 2 blocks; a last odd row or column counts twice. */
function reduce(band: Band, channels: number): Band {
  const width = Math.ceil(band.width / 2)
  const height = Math.ceil(band.height / 2)
  const values = new Float32Array(width * height * channels)
  for (let y = 0; y < height; y++) reduceRow(band.values, band.width, band.height, channels, y, width, values)
  return { width, height, values }
}

function reduceRow(
  from: Float32Array,
  fromWidth: number,
  fromHeight: number,
  channels: number,
  y: number,
  width: number,
  into: Float32Array,
): void {
  const stride = fromWidth * channels
  const top = 2 * y * stride
  const bottom = 2 * y + 1 < fromHeight ? top + stride : top
  let to = y * width * channels
  for (let x = 0; x < width; x++) {
    const right = 2 * x + 1 < fromWidth ? channels : 0
    for (let c = 0; c < channels; c++, to++) {
      const p = 2 * x * channels + c
      into[to] =
        ((from[top + p] ?? 0) +
          (from[top + p + right] ?? 0) +
          (from[bottom + p] ?? 0) +
          (from[bottom + p + right] ?? 0)) /
        4
    }
  }
}

function takeExpanded(fine: Band, coarse: Band): void {
  for (let y = 0; y < fine.height; y++) expandRow(fine, coarse, y, -1)
}

function addExpanded(fine: Band, coarse: Band): void {
  for (let y = 0; y < fine.height; y++) expandRow(fine, coarse, y, 1)
}

/** Adds `sign` times the bilinearly enlarged coarse row. */
function expandRow(fine: Band, coarse: Band, y: number, sign: number): void {
  const { width } = fine
  const into = fine.values
  const from = coarse.values
  const near = y >> 1
  const far = Math.min(coarse.height - 1, Math.max(0, y % 2 === 0 ? near - 1 : near + 1))
  const a = near * coarse.width * 3
  const b = far * coarse.width * 3
  let to = y * width * 3
  const last = coarse.width - 1
  for (let x = 0; x < width; x++, to += 3) {
    const nx = x >> 1
    const fx = 3 * (x % 2 === 0 ? (nx > 0 ? nx - 1 : 0) : nx < last ? nx + 1 : last)
    const p = 3 * nx
    for (let c = 0; c < 3; c++) {
      const upper = 0.75 * (from[a + p + c] ?? 0) + 0.25 * (from[a + fx + c] ?? 0)
      const lower = 0.75 * (from[b + p + c] ?? 0) + 0.25 * (from[b + fx + c] ?? 0)
      into[to + c] = (into[to + c] ?? 0) + sign * (0.75 * upper + 0.25 * lower)
    }
  }
}
