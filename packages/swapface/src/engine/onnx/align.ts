/**
 * Brings a face into the place where the recognition and the swap network expect it, by its five points: the eyes, the
 * tip of the nose, the corners of the mouth. Pixel centres are whole numbers on both sides here, as in the code the
 * networks come with; the pyramid's continuous coordinates are half a pixel more.
 */
import { sampleGrid, type Pyramid, type SampleGrid } from '../pyramid.ts'

/** Picture to aligned crop: u = a x - b y + tx, v = b x + a y + ty. */
export interface Similarity {
  readonly a: number
  readonly b: number
  readonly tx: number
  readonly ty: number
}

// ArcFace's places of the five points in a crop of 112 pixels.
const TEMPLATE = [38.2946, 51.6963, 73.5318, 51.5014, 56.0252, 71.7366, 41.5493, 92.3655, 70.7299, 92.2041]

/** The points' places in an aligned crop. At 128 pixels the face keeps its size and moves to the middle of the width. */
export function toTemplate(size: 112 | 128): Float32Array {
  return Float32Array.from(TEMPLATE, (value, i) => (i % 2 === 0 ? value + (size - 112) / 2 : value))
}

/** The turn, size and shift that bring `from` nearest to `to` by least squares; null where `from` is one point. */
export function fitSimilarity(from: Float32Array, to: Float32Array): Similarity | null {
  const count = from.length / 2
  const mean = [0, 0, 0, 0]
  for (let i = 0; i < from.length; i++) {
    const axis = i % 2
    mean[axis] = (mean[axis] ?? 0) + (from[i] ?? 0) / count
    mean[axis + 2] = (mean[axis + 2] ?? 0) + (to[i] ?? 0) / count
  }
  const [fromX = 0, fromY = 0, toX = 0, toY = 0] = mean
  let [along, across, spread] = [0, 0, 0]
  for (let i = 0; i < from.length; i += 2) {
    const x = (from[i] ?? 0) - fromX
    const y = (from[i + 1] ?? 0) - fromY
    const u = (to[i] ?? 0) - toX
    const v = (to[i + 1] ?? 0) - toY
    along += x * u + y * v
    across += x * v - y * u
    spread += x * x + y * y
  }
  const a = along / spread
  const b = across / spread
  const scale = Math.hypot(a, b)
  if (!Number.isFinite(scale) || scale === 0) return null
  return { a, b, tx: toX - a * fromX + b * fromY, ty: toY - b * fromX - a * fromY }
}

/** Where the pixels of the aligned crop lie in the picture. */
export function toCropGrid({ a, b, tx, ty }: Similarity): SampleGrid {
  const square = a * a + b * b
  return {
    ax: a / square,
    bx: b / square,
    cx: (-a * tx - b * ty) / square + 0.5,
    ay: -b / square,
    by: a / square,
    cy: (b * tx - a * ty) / square + 0.5,
  }
}

/** The aligned crop, each value multiplied and then added to, as a network takes it: all red, all green, all blue. */
export function readAligned(
  pyramid: Pyramid,
  similarity: Similarity,
  size: number,
  multiply: number,
  add: number,
): Float32Array {
  return readPlanar(pyramid, toCropGrid(similarity), size, multiply, add)
}

/** A square look at the picture in planes; black where the picture ends. */
export function readPlanar(
  pyramid: Pyramid,
  grid: SampleGrid,
  size: number,
  multiply: number,
  add: number,
): Float32Array {
  const planeSize = size * size
  const pixels = new Float32Array(planeSize * 3)
  sampleGrid(pyramid, grid, size, size, pixels, multiply, add, true)
  const planes = new Float32Array(planeSize * 3)
  for (let i = 0; i < planeSize; i++) {
    planes[i] = pixels[3 * i] ?? 0
    planes[i + planeSize] = pixels[3 * i + 1] ?? 0
    planes[i + 2 * planeSize] = pixels[3 * i + 2] ?? 0
  }
  return planes
}
