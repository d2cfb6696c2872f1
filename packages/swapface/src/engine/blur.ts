/** Box blurs on planes. Two passes are close enough to a Gaussian here. Edge pixels are repeated. */
import { createPlane, type FloatPicture, type Plane } from './picture.ts'

/** Blurs in place, close to a Gaussian of `sigma` pixels. */
export function blurPlane(plane: Plane, sigma: number): void {
  const radius = Math.round((Math.sqrt(6 * sigma * sigma + 1) - 1) / 2)
  if (radius < 1) return
  const scratch = new Float32Array(plane.values.length)
  const { width, height, values } = plane
  for (let pass = 0; pass < 2; pass++) {
    for (let row = 0; row < height; row++) blurLine(values, scratch, row * width, 1, width, radius)
    for (let column = 0; column < width; column++) blurLine(scratch, values, column, width, height, radius)
  }
}

function blurLine(
  from: Float32Array,
  to: Float32Array,
  start: number,
  step: number,
  count: number,
  radius: number,
): void {
  const first = from[start] ?? 0
  const last = from[start + (count - 1) * step] ?? 0
  const share = 1 / (2 * radius + 1)
  let sum = first * radius
  for (let i = 0; i < radius; i++) sum += i < count ? (from[start + i * step] ?? 0) : last
  for (let i = 0; i < count; i++) {
    const enters = i + radius
    const leaves = i - radius - 1
    sum += enters < count ? (from[start + enters * step] ?? 0) : last
    to[start + i * step] = sum * share
    // Subtracted after use, so that the window is complete at each position.
    sum -= leaves + 1 > 0 ? (from[start + (leaves + 1) * step] ?? 0) : first
  }
}

/** Averages blocks of `factor` x `factor`; the last ones are smaller if the size is not a multiple. */
export function shrinkPicture(picture: FloatPicture, factor: number): FloatPicture {
  const width = Math.ceil(picture.width / factor)
  const height = Math.ceil(picture.height / factor)
  const rgb = new Float32Array(width * height * 3)
  const counts = new Float32Array(width * height)
  for (let row = 0; row < picture.height; row++) addRow(picture, row, factor, width, rgb, counts)
  for (let i = 0; i < counts.length; i++) {
    const share = 1 / (counts[i] ?? 1)
    rgb[3 * i] = (rgb[3 * i] ?? 0) * share
    rgb[3 * i + 1] = (rgb[3 * i + 1] ?? 0) * share
    rgb[3 * i + 2] = (rgb[3 * i + 2] ?? 0) * share
  }
  return { width, height, rgb }
}

function addRow(
  from: FloatPicture,
  row: number,
  factor: number,
  width: number,
  rgb: Float32Array,
  counts: Float32Array,
): void {
  const start = Math.floor(row / factor) * width
  let p = row * from.width * 3
  for (let column = 0; column < from.width; column++, p += 3) {
    const to = start + Math.floor(column / factor)
    counts[to] = (counts[to] ?? 0) + 1
    rgb[3 * to] = (rgb[3 * to] ?? 0) + (from.rgb[p] ?? 0)
    rgb[3 * to + 1] = (rgb[3 * to + 1] ?? 0) + (from.rgb[p + 1] ?? 0)
    rgb[3 * to + 2] = (rgb[3 * to + 2] ?? 0) + (from.rgb[p + 2] ?? 0)
  }
}

/** Enlarges a plane of blocks of `factor` x `factor` bilinearly. */
export function growPlane(plane: Plane, factor: number, width: number, height: number): Plane {
  if (factor === 1) return plane
  const grown = createPlane(width, height)
  for (let row = 0; row < height; row++) growRow(plane, factor, row, grown)
  return grown
}

function growRow(from: Plane, factor: number, row: number, to: Plane): void {
  const y = Math.min(from.height - 1, Math.max(0, (row + 0.5) / factor - 0.5))
  const top = Math.floor(y)
  const fy = y - top
  const a = top * from.width
  const b = Math.min(top + 1, from.height - 1) * from.width
  const last = from.width - 1
  const start = row * to.width
  for (let column = 0; column < to.width; column++) {
    const x = Math.min(last, Math.max(0, (column + 0.5) / factor - 0.5))
    const left = Math.floor(x)
    const right = left < last ? left + 1 : last
    const fx = x - left
    const upper = (from.values[a + left] ?? 0) * (1 - fx) + (from.values[a + right] ?? 0) * fx
    const lower = (from.values[b + left] ?? 0) * (1 - fx) + (from.values[b + right] ?? 0) * fx
    to.values[start + column] = upper * (1 - fy) + lower * fy
  }
}

/** Dilation: the largest value within `radius` columns and rows. */
export function widenPlane(plane: Plane, radius: number): Plane {
  const { width, height, values } = plane
  const across = createPlane(width, height)
  const wide = createPlane(width, height)
  for (let row = 0; row < height; row++) widenLine(values, across.values, row * width, 1, width, radius)
  for (let column = 0; column < width; column++) widenLine(across.values, wide.values, column, width, height, radius)
  return wide
}

/** Erosion: the smallest value within `radius` columns and rows. */
export function narrowPlane(plane: Plane, radius: number): Plane {
  const wide = widenPlane({ ...plane, values: plane.values.map((value) => -value) }, radius)
  return { ...wide, values: wide.values.map((value) => -value) }
}

function widenLine(
  from: Float32Array,
  to: Float32Array,
  start: number,
  step: number,
  count: number,
  radius: number,
): void {
  for (let i = 0; i < count; i++) {
    let most = -Infinity
    const last = Math.min(count - 1, i + radius)
    for (let j = Math.max(0, i - radius); j <= last; j++) most = Math.max(most, from[start + j * step] ?? 0)
    to[start + i * step] = most
  }
}
