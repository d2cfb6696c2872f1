/**
 * Crops the working area from the target and pastes the change back. The face has at most WORK_SIDE working pixels. If
 * it is larger, the changed face is enlarged; around it the enlarged change is added to the target's own pixels, so
 * that hair beside the face keeps its full detail.
 */
import { createFloatPicture, type FloatPicture, type Picture, type Plane } from './picture.ts'
import { getLevel, sampleGrid, type Pyramid } from './pyramid.ts'

/** A box in the picture in whole pixels, and the number of working pixels per picture pixel (at most 1). */
export interface Crop {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
  readonly scale: number
}

// The mask ends inside the outline; the margin keeps the blurs away from the border.
const MARGIN = 0.08
const WORK_SIDE = 560
// A large target keeps at least this resolution, even if the donor has less detail.
const LEAST_WORK_SIDE = 320

/** @returns null if no part of the face is inside the picture. */
export function planCrop(points: Float32Array, picture: Pyramid, faceSize: number, donorFaceSize: number): Crop | null {
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity]
  for (let i = 0; i < points.length; i += 3) {
    left = Math.min(left, points[i] ?? 0)
    right = Math.max(right, points[i] ?? 0)
    top = Math.min(top, points[i + 1] ?? 0)
    bottom = Math.max(bottom, points[i + 1] ?? 0)
  }
  const margin = MARGIN * faceSize
  left = Math.max(0, Math.floor(left - margin))
  top = Math.max(0, Math.floor(top - margin))
  right = Math.min(picture.width, Math.ceil(right + margin))
  bottom = Math.min(picture.height, Math.ceil(bottom + margin))
  if (right - left < 4 || bottom - top < 4) return null
  const useful = Math.min(WORK_SIDE, Math.max(LEAST_WORK_SIDE, donorFaceSize * 1.1))
  return { left, top, width: right - left, height: bottom - top, scale: Math.min(1, useful / faceSize) }
}

export function readCrop(picture: Pyramid, crop: Crop): FloatPicture {
  const work = createFloatPicture(
    Math.max(2, Math.round(crop.width * crop.scale)),
    Math.max(2, Math.round(crop.height * crop.scale)),
  )
  if (crop.scale === 1) {
    const source = getLevel(picture, 0)
    for (let row = 0; row < crop.height; row++) {
      const from = ((crop.top + row) * source.width + crop.left) * 3
      work.rgb.set(source.rgb.subarray(from, from + crop.width * 3), row * crop.width * 3)
    }
    return work
  }
  const stepX = crop.width / work.width
  const stepY = crop.height / work.height
  const grid = { ax: stepX, bx: 0, cx: crop.left + stepX / 2, ay: 0, by: stepY, cy: crop.top + stepY / 2 }
  sampleGrid(picture, grid, work.width, work.height, work.rgb, 1, 0, false)
  return work
}

export function toCropPoints(points: Float32Array, crop: Crop): Float32Array {
  return points.map((value, i) => {
    const origin = i % 3 === 0 ? crop.left : i % 3 === 1 ? crop.top : 0
    return (value - origin) * crop.scale
  })
}

/** Applies the change to the picture in place. Pixels whose change and mask are 0 keep their exact value. */
export function pasteChange(picture: Picture, crop: Crop, work: FloatPicture, change: Float32Array, mask: Plane): void {
  if (crop.scale === 1) {
    for (let row = 0; row < crop.height; row++) pasteRow(picture, crop, change, row)
    return
  }
  const row = new Float32Array(crop.width * GROWN)
  const grown = joinPlanes(change, work.rgb, mask.values)
  for (let y = 0; y < crop.height; y++) {
    growRow(grown, work.width, work.height, ((y + 0.5) * work.height) / crop.height - 0.5, row)
    pasteGrownRow(picture, crop, row, y)
  }
}

// Three values of the change, three of the working picture, one of the mask.
const GROWN = 7

function joinPlanes(change: Float32Array, work: Float32Array, mask: Float32Array): Float32Array {
  const joined = new Float32Array(mask.length * GROWN)
  for (let i = 0; i < mask.length; i++) {
    for (let c = 0; c < 3; c++) {
      joined[i * GROWN + c] = change[3 * i + c] ?? 0
      joined[i * GROWN + 3 + c] = work[3 * i + c] ?? 0
    }
    joined[i * GROWN + 6] = mask[i] ?? 0
  }
  return joined
}

/** Enlarges one row bilinearly. Row by row, because all planes of a large face would need too much memory. */
function growRow(from: Float32Array, width: number, height: number, at: number, into: Float32Array): void {
  const count = into.length / GROWN
  const y = Math.min(height - 1, Math.max(0, at))
  const top = Math.floor(y)
  const fy = y - top
  const down = top < height - 1 ? width * GROWN : 0
  for (let column = 0; column < count; column++) {
    const x = Math.min(width - 1, Math.max(0, ((column + 0.5) * width) / count - 0.5))
    const left = Math.floor(x)
    const fx = x - left
    const right = left < width - 1 ? GROWN : 0
    const p = (top * width + left) * GROWN
    for (let c = p; c < p + GROWN; c++) {
      const upper = (from[c] ?? 0) * (1 - fx) + (from[c + right] ?? 0) * fx
      const lower = (from[c + down] ?? 0) * (1 - fx) + (from[c + down + right] ?? 0) * fx
      into[column * GROWN + c - p] = upper * (1 - fy) + lower * fy
    }
  }
}

function pasteRow(picture: Picture, crop: Crop, change: Float32Array, row: number): void {
  const { rgb } = picture
  let from = row * crop.width * 3
  let to = ((crop.top + row) * picture.width + crop.left) * 3
  for (const end = to + crop.width * 3; to < end; to++, from++) rgb[to] = toByte((rgb[to] ?? 0) + (change[from] ?? 0))
}

function pasteGrownRow(picture: Picture, crop: Crop, grown: Float32Array, row: number): void {
  const { rgb } = picture
  let to = ((crop.top + row) * picture.width + crop.left) * 3
  for (let from = 0; from < grown.length; from += GROWN, to += 3) {
    const inside = grown[from + 6] ?? 0
    for (let c = 0; c < 3; c++) {
      const own = rgb[to + c] ?? 0
      rgb[to + c] = toByte(own + (grown[from + c] ?? 0) + inside * ((grown[from + 3 + c] ?? 0) - own))
    }
  }
}

function toByte(value: number): number {
  return value <= 0 ? 0 : value >= 255 ? 255 : (value + 0.5) | 0
}
