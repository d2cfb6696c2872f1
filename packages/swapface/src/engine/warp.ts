/**
 * Warps the donor's picture to the target's shape. The triangles of the mesh are rasterised into a field of donor
 * coordinates. The field is smoothed, because the kinks between flat triangles show in brows and lips, and the picture
 * is sampled through it. The field has half the resolution of the working crop, because it has no fine detail.
 */
import { blurPlane } from './blur.ts'
import { MESH_POINTS } from './mesh.ts'
import { createFloatPicture, createPlane, type FloatPicture, type Picture, type Plane } from './picture.ts'
import { chooseLevel, getLevel, type Pyramid } from './pyramid.ts'

/** Values per mesh point; see `WarpField`. */
export const FIELD_VALUES = 6
export const FIELD_STEP = 2

/** Values: u, v; u, v of the mirror point; weight of the first of these two samples; trust, 0 to 1. */
export interface WarpField {
  readonly width: number
  readonly height: number
  readonly values: readonly Plane[]
  /** 1 inside the mesh. */
  readonly cover: Plane
}

export interface WarpedDonor {
  readonly picture: FloatPicture
  /** 1 if the pixel has a donor colour, 0 outside the mesh. */
  readonly cover: Plane
}

/**
 * @param points mesh in working pixels: x, y, z each
 * @param carried FIELD_VALUES values per mesh point
 * @param smoothing of the field, in working pixels
 */
export function drawField(
  points: Float32Array,
  carried: Float32Array,
  triangles: Uint16Array,
  width: number,
  height: number,
  smoothing: number,
): WarpField {
  const fieldWidth = Math.ceil(width / FIELD_STEP)
  const fieldHeight = Math.ceil(height / FIELD_STEP)
  const depth = new Float32Array(fieldWidth * fieldHeight).fill(Infinity)
  const values = Array.from({ length: FIELD_VALUES }, () => createPlane(fieldWidth, fieldHeight))
  const cover = createPlane(fieldWidth, fieldHeight)
  const scaled = new Float32Array(MESH_POINTS * 3)
  for (let i = 0; i < scaled.length; i++) scaled[i] = (points[i] ?? 0) / FIELD_STEP
  // One interleaved array, so that the inner loop needs no list of arrays.
  const filled = new Float32Array(fieldWidth * fieldHeight * FIELD_VALUES)
  for (let t = 0; t < triangles.length; t += 3) {
    fillTriangle(
      scaled,
      carried,
      triangles[t] ?? 0,
      triangles[t + 1] ?? 0,
      triangles[t + 2] ?? 0,
      fieldWidth,
      fieldHeight,
      depth,
      filled,
    )
  }
  for (let i = 0; i < depth.length; i++) cover.values[i] = (depth[i] ?? 0) < Infinity ? 1 : 0
  values.forEach((plane, index) => takeValues(filled, index, plane.values))
  smoothField(values, cover, smoothing / FIELD_STEP)
  return { width: fieldWidth, height: fieldHeight, values, cover }
}

function fillTriangle(
  points: Float32Array,
  carried: Float32Array,
  a: number,
  b: number,
  c: number,
  width: number,
  height: number,
  depth: Float32Array,
  filled: Float32Array,
): void {
  const ax = points[3 * a] ?? 0
  const ay = points[3 * a + 1] ?? 0
  const bx = points[3 * b] ?? 0
  const by = points[3 * b + 1] ?? 0
  const cx = points[3 * c] ?? 0
  const cy = points[3 * c + 1] ?? 0
  const area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
  if (Math.abs(area) < 1e-6) return
  const az = points[3 * a + 2] ?? 0
  const bz = points[3 * b + 2] ?? 0
  const cz = points[3 * c + 2] ?? 0
  const left = Math.max(0, Math.floor(Math.min(ax, bx, cx) - 0.5))
  const right = Math.min(width - 1, Math.ceil(Math.max(ax, bx, cx) - 0.5))
  const top = Math.max(0, Math.floor(Math.min(ay, by, cy) - 0.5))
  const bottom = Math.min(height - 1, Math.ceil(Math.max(ay, by, cy) - 0.5))
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const px = x + 0.5
      const py = y + 0.5
      const wb = ((px - ax) * (cy - ay) - (py - ay) * (cx - ax)) / area
      const wc = ((bx - ax) * (py - ay) - (by - ay) * (px - ax)) / area
      const wa = 1 - wb - wc
      // A slight overlap, so that a pixel on a shared edge belongs to both triangles rather than to none.
      if (wa < -1e-4 || wb < -1e-4 || wc < -1e-4) continue
      const z = wa * az + wb * bz + wc * cz
      const pixel = y * width + x
      if (z >= (depth[pixel] ?? 0)) continue
      depth[pixel] = z
      for (let v = 0; v < FIELD_VALUES; v++) {
        filled[pixel * FIELD_VALUES + v] =
          wa * (carried[a * FIELD_VALUES + v] ?? 0) +
          wb * (carried[b * FIELD_VALUES + v] ?? 0) +
          wc * (carried[c * FIELD_VALUES + v] ?? 0)
      }
    }
  }
}

function takeValues(filled: Float32Array, index: number, into: Float32Array): void {
  for (let i = 0; i < into.length; i++) into[i] = filled[i * FIELD_VALUES + index] ?? 0
}

/** Blurs the covered values only. Pixels just outside the mesh get the values next to them. */
function smoothField(values: readonly Plane[], cover: Plane, sigma: number): void {
  // A blur of at least 1.3 extends the field beyond its edge, as interpolation at half resolution requires.
  const reach = Math.max(1.3, sigma)
  const weight = { ...cover, values: cover.values.slice() }
  blurPlane(weight, reach)
  for (const plane of values) {
    blurPlane(plane, reach)
    divide(plane.values, weight.values)
  }
}

function divide(values: Float32Array, by: Float32Array): void {
  for (let i = 0; i < values.length; i++) {
    const weight = by[i] ?? 0
    if (weight > 1e-4) values[i] = (values[i] ?? 0) / weight
  }
}

/** Samples the donor through the field. */
export function readDonor(donor: Pyramid, field: WarpField, width: number, height: number): WarpedDonor {
  const level = getLevel(donor, chooseLevel(measureStep(field)))
  const picture = createFloatPicture(width, height)
  const cover = createPlane(width, height)
  const [u, v, otherU, otherV, share] = field.values.map((plane) => plane.values)
  if (!u || !v || !otherU || !otherV || !share) throw new TypeError('A warp field has its six planes.')
  const scaleX = level.width / donor.width
  const scaleY = level.height / donor.height
  for (let row = 0; row < height; row++) {
    readRow(level, scaleX, scaleY, u, v, otherU, otherV, share, field, row, picture, cover.values)
  }
  return { picture, cover }
}

/** Returns the median number of donor pixels per working pixel. */
export function measureStep(field: WarpField): number {
  const [u, v] = field.values
  if (!u || !v) throw new TypeError('A warp field has its six planes.')
  const steps: number[] = []
  for (let y = 4; y < field.height - 4; y += 4) {
    for (let x = 4; x < field.width - 4; x += 4) {
      const at = y * field.width + x
      if (!field.cover.values[at] || !field.cover.values[at + 1]) continue
      const du = (u.values[at + 1] ?? 0) - (u.values[at] ?? 0)
      const dv = (v.values[at + 1] ?? 0) - (v.values[at] ?? 0)
      steps.push(Math.hypot(du, dv) / FIELD_STEP)
    }
  }
  steps.sort((a, b) => a - b)
  return Math.max(0.01, steps[steps.length >> 1] ?? 1)
}

function readRow(
  level: Picture,
  scaleX: number,
  scaleY: number,
  u: Float32Array,
  v: Float32Array,
  otherU: Float32Array,
  otherV: Float32Array,
  share: Float32Array,
  field: WarpField,
  row: number,
  picture: FloatPicture,
  cover: Float32Array,
): void {
  const columns = field.width
  const y = Math.min(field.height - 1, Math.max(0, (row + 0.5) / FIELD_STEP - 0.5))
  const top = Math.floor(y)
  const fy = y - top
  const down = top < field.height - 1 ? columns : 0
  for (let column = 0; column < picture.width; column++) {
    const x = Math.min(columns - 1, Math.max(0, (column + 0.5) / FIELD_STEP - 0.5))
    const left = Math.floor(x)
    const fx = x - left
    const a = top * columns + left
    const right = left < columns - 1 ? 1 : 0
    const covered = mix4(field.cover.values, a, right, down, fx, fy)
    if (covered < 0.3) continue
    const to = row * picture.width + column
    cover[to] = 1
    const own = mix4(share, a, right, down, fx, fy)
    const du = mix4(u, a, right, down, fx, fy) * scaleX - 0.5
    const dv = mix4(v, a, right, down, fx, fy) * scaleY - 0.5
    addColour(level, du, dv, own, picture.rgb, to * 3)
    if (own > 0.999) continue
    const eu = mix4(otherU, a, right, down, fx, fy) * scaleX - 0.5
    const ev = mix4(otherV, a, right, down, fx, fy) * scaleY - 0.5
    addColour(level, eu, ev, 1 - own, picture.rgb, to * 3)
  }
}

function mix4(values: Float32Array, at: number, right: number, down: number, fx: number, fy: number): number {
  const upper = (values[at] ?? 0) * (1 - fx) + (values[at + right] ?? 0) * fx
  const lower = (values[at + down] ?? 0) * (1 - fx) + (values[at + down + right] ?? 0) * fx
  return upper * (1 - fy) + lower * fy
}

/** Catmull-Rom over 4 x 4 pixels, times `weight`, added. */
function addColour(picture: Picture, x: number, y: number, weight: number, into: Float32Array, at: number): void {
  const { width, height, rgb } = picture
  const left = Math.floor(x)
  const top = Math.floor(y)
  const fx = x - left
  const fy = y - top
  const wx0 = ((2 - fx) * fx - 1) * fx * 0.5
  const wx1 = ((3 * fx - 5) * fx * fx + 2) * 0.5
  const wx2 = ((4 - 3 * fx) * fx + 1) * fx * 0.5
  const wx3 = (fx - 1) * fx * fx * 0.5
  const x0 = 3 * clampIndex(left - 1, width)
  const x1 = 3 * clampIndex(left, width)
  const x2 = 3 * clampIndex(left + 1, width)
  const x3 = 3 * clampIndex(left + 2, width)
  let r = 0
  let g = 0
  let b = 0
  for (let j = 0; j < 4; j++) {
    const wy =
      j === 0
        ? ((2 - fy) * fy - 1) * fy * 0.5
        : j === 1
          ? ((3 * fy - 5) * fy * fy + 2) * 0.5
          : j === 2
            ? ((4 - 3 * fy) * fy + 1) * fy * 0.5
            : (fy - 1) * fy * fy * 0.5
    const line = clampIndex(top - 1 + j, height) * width * 3
    const p0 = line + x0
    const p1 = line + x1
    const p2 = line + x2
    const p3 = line + x3
    r += wy * (wx0 * (rgb[p0] ?? 0) + wx1 * (rgb[p1] ?? 0) + wx2 * (rgb[p2] ?? 0) + wx3 * (rgb[p3] ?? 0))
    g +=
      wy * (wx0 * (rgb[p0 + 1] ?? 0) + wx1 * (rgb[p1 + 1] ?? 0) + wx2 * (rgb[p2 + 1] ?? 0) + wx3 * (rgb[p3 + 1] ?? 0))
    b +=
      wy * (wx0 * (rgb[p0 + 2] ?? 0) + wx1 * (rgb[p1 + 2] ?? 0) + wx2 * (rgb[p2 + 2] ?? 0) + wx3 * (rgb[p3 + 2] ?? 0))
  }
  into[at] = (into[at] ?? 0) + weight * Math.min(255, Math.max(0, r))
  into[at + 1] = (into[at + 1] ?? 0) + weight * Math.min(255, Math.max(0, g))
  into[at + 2] = (into[at + 2] ?? 0) + weight * Math.min(255, Math.max(0, b))
}

function clampIndex(index: number, count: number): number {
  return index < 0 ? 0 : index >= count ? count - 1 : index
}
