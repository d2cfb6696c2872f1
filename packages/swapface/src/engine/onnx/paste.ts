/**
 * Pastes the swap network's square output into the picture: sampled through the alignment, feathered towards the sides
 * of the square, blended in bands like the mesh engine. The network itself has matched tone and light.
 */
import { blendDifference } from '../blend.ts'
import { pasteChange, planCrop, readCrop, type Crop } from '../crop.ts'
import { createFloatPicture, createPlane, smoothstep, type FloatPicture, type Plane } from '../picture.ts'
import { getLevel, type Pyramid } from '../pyramid.ts'
import { toCropGrid, type Similarity } from './align.ts'

export const SWAP_SIZE = 128

interface Layer {
  readonly picture: FloatPicture
  /** 1 inside the square. */
  readonly cover: Plane
  readonly mask: Plane
  /** Wider than the mask; beyond it no pixel may change. */
  readonly reach: Plane
}

/** Pastes a face in place. @param face 128 x 128, planes of red, green and blue, 0 to 1. */
export function pasteFace(target: Pyramid, similarity: Similarity, face: Float32Array): void {
  const faceSize = SWAP_SIZE / Math.hypot(similarity.a, similarity.b)
  const crop = planCrop(listCorners(similarity), target, faceSize, SWAP_SIZE)
  if (crop === null) return
  const work = readCrop(target, crop)
  const layer = drawLayer(work, crop, similarity, face)
  const levels = Math.min(5, Math.max(2, Math.floor(Math.log2((faceSize * crop.scale) / 40))))
  const change = blendDifference(work, layer.picture, layer.cover, layer.mask, levels)
  for (let i = 0; i < change.length; i++) change[i] = (change[i] ?? 0) * (layer.reach.values[Math.floor(i / 3)] ?? 0)
  pasteChange(getLevel(target, 0), crop, work, change, layer.mask)
}

/** Returns x, y and a depth of 0 for the square's four corners in the picture. */
function listCorners(similarity: Similarity): Float32Array {
  const { ax, bx, cx, ay, by, cy } = toCropGrid(similarity)
  const [near, far] = [-0.5, SWAP_SIZE - 0.5]
  const corners = [
    [near, near],
    [far, near],
    [near, far],
    [far, far],
  ] as const
  return Float32Array.from(corners.flatMap(([u, v]) => [ax * u + bx * v + cx, ay * u + by * v + cy, 0]))
}

function drawLayer(work: FloatPicture, crop: Crop, { a, b, tx, ty }: Similarity, face: Float32Array): Layer {
  const { width, height } = work
  const layer: Layer = {
    picture: createFloatPicture(width, height),
    cover: createPlane(width, height),
    mask: createPlane(width, height),
    reach: createPlane(width, height),
  }
  for (let row = 0, i = 0; row < height; row++) {
    const y = crop.top + ((row + 0.5) * crop.height) / height - 0.5
    for (let column = 0; column < width; column++, i++) {
      const x = crop.left + ((column + 0.5) * crop.width) / width - 0.5
      const u = a * x - b * y + tx
      const v = b * x + a * y + ty
      const sideU = Math.min(u + 0.5, SWAP_SIZE - 0.5 - u)
      const sideV = Math.min(v + 0.5, SWAP_SIZE - 0.5 - v)
      if (sideU <= 0 || sideV <= 0) continue
      readFace(face, u, v, layer.picture.rgb, 3 * i)
      layer.cover.values[i] = 1
      // The product rounds the corners.
      layer.mask.values[i] = smoothstep(5, 22, sideU) * smoothstep(5, 22, sideV)
      layer.reach.values[i] = smoothstep(0, 5, sideU) * smoothstep(0, 5, sideV)
    }
  }
  return layer
}

/** Samples bilinearly into 0 to 255. */
function readFace(face: Float32Array, u: number, v: number, into: Float32Array, at: number): void {
  const x = Math.min(SWAP_SIZE - 1, Math.max(0, u))
  const y = Math.min(SWAP_SIZE - 1, Math.max(0, v))
  const left = Math.floor(x)
  const top = Math.floor(y)
  const fx = x - left
  const fy = y - top
  const right = left < SWAP_SIZE - 1 ? 1 : 0
  const down = top < SWAP_SIZE - 1 ? SWAP_SIZE : 0
  for (let c = 0; c < 3; c++) {
    const p = c * SWAP_SIZE * SWAP_SIZE + top * SWAP_SIZE + left
    const upper = (face[p] ?? 0) * (1 - fx) + (face[p + right] ?? 0) * fx
    const lower = (face[p + down] ?? 0) * (1 - fx) + (face[p + down + right] ?? 0) * fx
    into[at + c] = 255 * Math.min(1, Math.max(0, upper * (1 - fy) + lower * fy))
  }
}
