/**
 * Aligns a face for the recognition and the swap network by its five landmarks: the eyes, the tip of the nose, the
 * corners of the mouth. Pixel centres are integers here, as in the networks' original code; the pyramid's continuous
 * coordinates are half a pixel more.
 */
import { sampleGrid, type Pyramid, type SampleGrid } from '../pyramid.ts'

/** Picture to aligned crop: u = a x - b y + tx, v = b x + a y + ty. */
export interface Similarity {
  readonly a: number
  readonly b: number
  readonly tx: number
  readonly ty: number
}

// ArcFace's positions of the five landmarks in a crop of 112 pixels.
const TEMPLATE = [38.2946, 51.6963, 73.5318, 51.5014, 56.0252, 71.7366, 41.5493, 92.3655, 70.7299, 92.2041]

/** Returns the landmarks' positions in an aligned crop. At 128 pixels the face keeps its size and is centred in x. */
export function toTemplate(size: 112 | 128): Float32Array {
  return Float32Array.from(TEMPLATE, (value, i) => (i % 2 === 0 ? value + (size - 112) / 2 : value))
}

/**
 * Fits rotation, scale and translation from `from` to `to` by least squares; null if all points of `from` are equal.
 */
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

/** Returns the picture coordinates of the aligned crop's pixels. */
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

/** Reads the aligned crop as planes of red, green and blue, each value `value * multiply + add`. */
export function readAligned(
  pyramid: Pyramid,
  similarity: Similarity,
  size: number,
  multiply: number,
  add: number,
): Float32Array {
  return readPlanar(pyramid, toCropGrid(similarity), size, multiply, add)
}

/** Samples a square grid as planes of red, green and blue; black outside the picture. */
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
