/**
 * Fits the 468-point face mesh to a detected face. The network is most stable on an upright face that fills two thirds
 * of its input, so a first mesh only defines the crop. The results of four slightly different crops are then averaged,
 * which removes the jitter of small faces.
 */
import type { DetectedFace } from './detect.ts'
import { MESH_UV } from './mesh-tables.ts'
import { MESH_SIZE, type FaceModels } from './models.ts'
import { sampleGrid, toSquareGrid, type Pyramid } from './pyramid.ts'

export const MESH_POINTS = 468

/** 468 points in picture coordinates: x, y, z each; z has the scale of x and grows away from the camera. */
export interface FaceMesh {
  readonly points: Float32Array
  /** Larger side of the points' upright bounding box, in picture pixels. */
  readonly size: number
  readonly roll: number
}

interface MeshCrop {
  readonly x: number
  readonly y: number
  readonly size: number
  readonly roll: number
}

const MIN_FLAG = 0.5
const MIN_DOUBTFUL_FLAG = 0.8

/** For each point, the index of its mirror point on the other half of the face. */
export const MIRROR_POINT: Uint16Array = findMirrorPoints()

/** @returns null if the mesh network finds no face there. */
export function fitMesh(models: FaceModels, pyramid: Pyramid, face: DetectedFace): FaceMesh | null {
  const first = runOnCrop(models, pyramid, { x: face.x, y: face.y, size: face.size * 1.5, roll: face.roll }, false)
  if (first.flag < MIN_FLAG) return null
  const crop = toMeshCrop(first.points)
  const sum = new Float32Array(MESH_POINTS * 3)
  let surest = 0
  for (const [zoom, mirrored] of [
    [1, false],
    [1, true],
    [0.93, false],
    [1.07, true],
  ] as const) {
    const { points, flag } = runOnCrop(models, pyramid, { ...crop, size: crop.size * zoom }, mirrored)
    surest = Math.max(surest, flag)
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + (points[i] ?? 0) / 4
  }
  if (surest < (face.doubtful ? MIN_DOUBTFUL_FLAG : MIN_FLAG)) return null
  return toFaceMesh(sum)
}

export function toFaceMesh(points: Float32Array): FaceMesh {
  const crop = toMeshCrop(points)
  return { points, size: crop.size / 1.5, roll: crop.roll }
}

function runOnCrop(
  models: FaceModels,
  pyramid: Pyramid,
  crop: MeshCrop,
  mirrored: boolean,
): { points: Float32Array; flag: number } {
  const grid = toSquareGrid(crop.x, crop.y, crop.size, crop.roll, MESH_SIZE)
  const last = MESH_SIZE - 1
  const seen = mirrored
    ? { ...grid, ax: -grid.ax, ay: -grid.ay, cx: grid.cx + last * grid.ax, cy: grid.cy + last * grid.ay }
    : grid
  sampleGrid(pyramid, seen, MESH_SIZE, MESH_SIZE, models.meshInput, 1 / 255, 0, false)
  const { points, flag } = models.runMesh()
  return { points: toPicture(points, crop, mirrored), flag }
}

function toPicture(raw: Float32Array, crop: MeshCrop, mirrored: boolean): Float32Array {
  const scale = crop.size / MESH_SIZE
  const cos = Math.cos(crop.roll) * scale
  const sin = Math.sin(crop.roll) * scale
  const half = MESH_SIZE / 2
  const points = new Float32Array(MESH_POINTS * 3)
  for (let i = 0; i < MESH_POINTS; i++) {
    const from = 3 * (mirrored ? (MIRROR_POINT[i] ?? 0) : i)
    const u = ((raw[from] ?? 0) - half) * (mirrored ? -1 : 1)
    const v = (raw[from + 1] ?? 0) - half
    points[3 * i] = crop.x + u * cos - v * sin
    points[3 * i + 1] = crop.y + u * sin + v * cos
    points[3 * i + 2] = (raw[from + 2] ?? 0) * scale
  }
  return points
}

/** Returns the square to crop: 1.5 times the upright bounding box of the points. */
function toMeshCrop(points: Float32Array): MeshCrop {
  const [right, left] = [33, 263] as const
  const roll = Math.atan2(
    (points[3 * left + 1] ?? 0) - (points[3 * right + 1] ?? 0),
    (points[3 * left] ?? 0) - (points[3 * right] ?? 0),
  )
  const cos = Math.cos(roll)
  const sin = Math.sin(roll)
  let [minU, maxU, minV, maxV] = [Infinity, -Infinity, Infinity, -Infinity]
  for (let i = 0; i < points.length; i += 3) {
    const x = points[i] ?? 0
    const y = points[i + 1] ?? 0
    const u = x * cos + y * sin
    const v = y * cos - x * sin
    minU = Math.min(minU, u)
    maxU = Math.max(maxU, u)
    minV = Math.min(minV, v)
    maxV = Math.max(maxV, v)
  }
  const u = (minU + maxU) / 2
  const v = (minV + maxV) / 2
  return { x: u * cos - v * sin, y: u * sin + v * cos, size: 1.5 * Math.max(maxU - minU, maxV - minV), roll }
}

function findMirrorPoints(): Uint16Array {
  const mirror = new Uint16Array(MESH_POINTS)
  for (let i = 0; i < MESH_POINTS; i++) {
    let nearest = Infinity
    for (let j = 0; j < MESH_POINTS; j++) {
      const du = 1 - (MESH_UV[2 * i] ?? 0) - (MESH_UV[2 * j] ?? 0)
      const dv = (MESH_UV[2 * i + 1] ?? 0) - (MESH_UV[2 * j + 1] ?? 0)
      const distance = du * du + dv * dv
      if (distance < nearest) {
        nearest = distance
        mirror[i] = j
      }
    }
  }
  return mirror
}
