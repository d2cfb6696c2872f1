/**
 * Decodes the outputs of the SCRFD detector. It has three grids, of strides 8, 16 and 32, with two anchors per cell.
 * Its nine outputs are the scores of the three grids, then their boxes, then their five landmarks; boxes and landmarks
 * are distances from the anchor in strides.
 */
import { readPlanar } from './align.ts'
import type { Pyramid } from '../pyramid.ts'

export const SCRFD_SIZE = 640
const STRIDES = [8, 16, 32] as const
const ANCHORS = 2
const MIN_SCORE = 0.5
const MAX_OVERLAP = 0.4
// Limits the pairwise comparison to the most confident candidates; no picture has as many faces.
const MAX_CANDIDATES = 1000

/** In picture pixels. */
export interface ScrfdFace {
  readonly score: number
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
  /** x and y of both eyes, the tip of the nose, both corners of the mouth. */
  readonly points: Float32Array
}

/** Floats in each of the nine outputs, in their order. */
export const SCRFD_OUTPUTS: readonly number[] = [1, 4, 10].flatMap((values) =>
  STRIDES.map((stride) => countAnchors(stride) * values),
)

function countAnchors(stride: number): number {
  return (SCRFD_SIZE / stride) ** 2 * ANCHORS
}

/** Reads the picture into the upper left of the detector's square. @returns the input, and its scale. */
export function readLetterbox(pyramid: Pyramid): { readonly input: Float32Array; readonly scale: number } {
  const scale = SCRFD_SIZE / Math.max(pyramid.width, pyramid.height)
  const step = 1 / scale
  const grid = { ax: step, bx: 0, cx: step / 2, ay: 0, by: step, cy: step / 2 }
  return { input: readPlanar(pyramid, grid, SCRFD_SIZE, 1 / 128, -127.5 / 128), scale }
}

/** Decodes the faces, without duplicates, largest first. */
export function decodeScrfd(outputs: readonly Float32Array[], scale: number): ScrfdFace[] {
  const candidates = STRIDES.flatMap((stride, i) => {
    const [scores, boxes, points] = [outputs[i], outputs[i + 3], outputs[i + 6]]
    if (scores === undefined || boxes === undefined || points === undefined) return []
    return decodeGrid({ scores, boxes, points }, stride, scale)
  })
  return suppressOverlaps(candidates).toSorted((a, b) => areaOf(b) - areaOf(a))
}

function decodeGrid(
  { scores, boxes, points }: { scores: Float32Array; boxes: Float32Array; points: Float32Array },
  stride: number,
  scale: number,
): ScrfdFace[] {
  const faces: ScrfdFace[] = []
  const columns = SCRFD_SIZE / stride
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i] ?? 0
    if (!(score >= MIN_SCORE)) continue
    const cell = Math.floor(i / ANCHORS)
    const x = (cell % columns) * stride
    const y = Math.floor(cell / columns) * stride
    const box = (side: number) => (boxes[4 * i + side] ?? 0) * stride
    faces.push({
      score,
      left: (x - box(0)) / scale,
      top: (y - box(1)) / scale,
      right: (x + box(2)) / scale,
      bottom: (y + box(3)) / scale,
      points: Float32Array.from(
        { length: 10 },
        (_, k) => ((k % 2 === 0 ? x : y) + (points[10 * i + k] ?? 0) * stride) / scale,
      ),
    })
  }
  return faces
}

/** Non-maximum suppression: of overlapping faces, keeps the most confident one. */
export function suppressOverlaps(faces: readonly ScrfdFace[]): ScrfdFace[] {
  const selected: ScrfdFace[] = []
  for (const face of faces.toSorted((a, b) => b.score - a.score).slice(0, MAX_CANDIDATES)) {
    if (selected.every((other) => overlapOf(face, other) <= MAX_OVERLAP)) selected.push(face)
  }
  return selected
}

/** Returns the intersection over union of two boxes. */
function overlapOf(a: ScrfdFace, b: ScrfdFace): number {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left)
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)
  if (width <= 0 || height <= 0) return 0
  return (width * height) / (areaOf(a) + areaOf(b) - width * height)
}

function areaOf({ left, top, right, bottom }: ScrfdFace): number {
  return (right - left) * (bottom - top)
}
