/**
 * Computes the shape to paint. The donor's mesh is aligned with the target's by one rotation, scale and translation in
 * space. The shape is the target's at the outline, so that it fits the head, and approaches the donor's inside, where
 * the likeness is.
 */
import { MESH_UV } from './mesh-tables.ts'
import { MESH_POINTS, MIRROR_POINT, type FaceMesh } from './mesh.ts'
import { smoothstep } from './picture.ts'

/** The donor's face for the warp: each mesh point's position in space and in the donor's picture. */
export interface DonorFace {
  readonly shape: Float32Array
  /** u, v of each point in the donor's picture. */
  readonly texture: Float32Array
  readonly mirrored: boolean
}

/** The outline of the face, clockwise from the middle of the forehead. */
export const FACE_OVAL: readonly number[] = [
  10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136,
  172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
]
export const INNER_LIPS: readonly number[] = [
  78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95,
]

// Weight of the donor's proportions in the middle of the face. With more, the features no longer fit the head.
const DONOR_SHARE = 0.65
const OVAL_DISTANCE = findOvalDistance()
const MOUTH_NEARNESS = findMouthNearness()

/** Returns the yaw in radians; positive if the face looks to the picture's left. */
export function findYaw(points: Float32Array): number {
  const [right, left] = [234 * 3, 454 * 3] as const
  const dx = (points[left] ?? 0) - (points[right] ?? 0)
  const dy = (points[left + 1] ?? 0) - (points[right + 1] ?? 0)
  const dz = (points[left + 2] ?? 0) - (points[right + 2] ?? 0)
  return Math.atan2(dz, Math.hypot(dx, dy))
}

/** Returns the gap between the lips as a share of the mouth's width. */
export function findMouthOpenness(points: Float32Array): number {
  return distance(points, 13, 14) / Math.max(1e-6, distance(points, 78, 308))
}

/** Mirrors the donor if it looks the other way, since it would show the wrong cheek. */
export function toDonorFace(donor: FaceMesh, target: FaceMesh): DonorFace {
  const donorYaw = findYaw(donor.points)
  const targetYaw = findYaw(target.points)
  const mirrored = Math.abs(targetYaw - donorYaw) > Math.abs(targetYaw + donorYaw) + 0.26
  const shape = new Float32Array(MESH_POINTS * 3)
  const texture = new Float32Array(MESH_POINTS * 2)
  for (let i = 0; i < MESH_POINTS; i++) {
    const from = 3 * (mirrored ? (MIRROR_POINT[i] ?? 0) : i)
    shape[3 * i] = (donor.points[from] ?? 0) * (mirrored ? -1 : 1)
    shape[3 * i + 1] = donor.points[from + 1] ?? 0
    shape[3 * i + 2] = donor.points[from + 2] ?? 0
    texture[2 * i] = donor.points[from] ?? 0
    texture[2 * i + 1] = donor.points[from + 1] ?? 0
  }
  return { shape, texture, mirrored }
}

export interface SwapShape {
  /** The shape to paint, in the target's picture coordinates. */
  readonly points: Float32Array
  /** Keep the target's mouth: it is open in a way that the donor's picture cannot fill. */
  readonly keepsMouth: boolean
}

/** Mixes the two shapes; see the file header. */
export function mixShapes(target: Float32Array, donor: Float32Array): SwapShape {
  const aligned = alignShape(donor, target)
  const openTarget = findMouthOpenness(target)
  const openDonor = findMouthOpenness(aligned)
  const differs = Math.abs(openTarget - openDonor) > 0.08
  // The donor's lips fit a smile. A wide open mouth moves the jaw, which stays the target's.
  const keepsMouth = differs && openTarget > 0.08 && Math.abs(openTarget - openDonor) > 0.3
  const mouthShare = keepsMouth ? 0 : differs ? 1 : DONOR_SHARE
  const points = new Float32Array(MESH_POINTS * 3)
  for (let i = 0; i < MESH_POINTS; i++) {
    const inside = smoothstep(0, 0.2, OVAL_DISTANCE[i] ?? 0)
    const mouth = MOUTH_NEARNESS[i] ?? 0
    const share = inside * (DONOR_SHARE + (mouthShare - DONOR_SHARE) * mouth)
    for (let c = 0; c < 3; c++) {
      const at = 3 * i + c
      points[at] = (1 - share) * (target[at] ?? 0) + share * (aligned[at] ?? 0)
    }
  }
  return { points, keepsMouth }
}

/** Aligns one point set with another by rotation, scale and translation (Horn's closed form, unit quaternions). */
export function alignShape(from: Float32Array, to: Float32Array): Float32Array {
  const a = centre(from)
  const b = centre(to)
  const s = new Float64Array(9)
  let spreadA = 0
  let spreadB = 0
  for (let i = 0; i < from.length; i += 3) {
    for (let r = 0; r < 3; r++) {
      const p = a.points[i + r] ?? 0
      const q = b.points[i + r] ?? 0
      spreadA += p * p
      spreadB += q * q
      for (let c = 0; c < 3; c++) s[3 * r + c] = (s[3 * r + c] ?? 0) + p * (b.points[i + c] ?? 0)
    }
  }
  const rotation = toRotation(findRotationQuaternion(s))
  const scale = Math.sqrt(spreadB / Math.max(1e-9, spreadA))
  const moved = new Float32Array(from.length)
  for (let i = 0; i < from.length; i += 3) {
    for (let r = 0; r < 3; r++) {
      let sum = 0
      for (let c = 0; c < 3; c++) sum += (rotation[3 * r + c] ?? 0) * (a.points[i + c] ?? 0)
      moved[i + r] = sum * scale + (b.mean[r] ?? 0)
    }
  }
  return moved
}

/** Finds the eigenvector of Horn's 4 x 4 matrix for its largest eigenvalue, by power iteration. */
function findRotationQuaternion(s: Float64Array): Float64Array {
  const [xx = 0, xy = 0, xz = 0, yx = 0, yy = 0, yz = 0, zx = 0, zy = 0, zz = 0] = s
  const n = [
    [xx + yy + zz, yz - zy, zx - xz, xy - yx],
    [yz - zy, xx - yy - zz, xy + yx, zx + xz],
    [zx - xz, xy + yx, yy - xx - zz, yz + zy],
    [xy - yx, zx + xz, yz + zy, zz - xx - yy],
  ]
  // A shift by the largest row sum makes every eigenvalue positive, so that the iteration finds the largest.
  const shift = Math.max(...n.map((row) => row.reduce((sum, value) => sum + Math.abs(value), 0)))
  // Not the identity: for a half turn it is orthogonal to the solution.
  let q = new Float64Array([0.9, 0.3, 0.2, 0.25])
  for (let step = 0; step < 300; step++) {
    const next = new Float64Array(4)
    n.forEach((row, r) => {
      next[r] = row.reduce((sum, value, c) => sum + value * (q[c] ?? 0), shift * (q[r] ?? 0))
    })
    const length = Math.hypot(...next)
    q = next.map((value) => value / length)
  }
  return q
}

function toRotation(quaternion: Float64Array): Float64Array {
  const [w = 1, x = 0, y = 0, z = 0] = quaternion
  return new Float64Array([
    1 - 2 * (y * y + z * z),
    2 * (x * y - w * z),
    2 * (x * z + w * y),
    2 * (x * y + w * z),
    1 - 2 * (x * x + z * z),
    2 * (y * z - w * x),
    2 * (x * z - w * y),
    2 * (y * z + w * x),
    1 - 2 * (x * x + y * y),
  ])
}

function centre(points: Float32Array): { points: Float64Array; mean: Float64Array } {
  const mean = new Float64Array(3)
  for (let i = 0; i < points.length; i++) mean[i % 3] = (mean[i % 3] ?? 0) + ((points[i] ?? 0) * 3) / points.length
  return { points: Float64Array.from(points, (value, i) => value - (mean[i % 3] ?? 0)), mean }
}

function distance(points: Float32Array, a: number, b: number): number {
  return Math.hypot(
    (points[3 * a] ?? 0) - (points[3 * b] ?? 0),
    (points[3 * a + 1] ?? 0) - (points[3 * b + 1] ?? 0),
    (points[3 * a + 2] ?? 0) - (points[3 * b + 2] ?? 0),
  )
}

function findOvalDistance(): Float32Array {
  return Float32Array.from({ length: MESH_POINTS }, (_, i) => {
    const u = MESH_UV[2 * i] ?? 0
    const v = MESH_UV[2 * i + 1] ?? 0
    return Math.min(...FACE_OVAL.map((p) => Math.hypot(u - (MESH_UV[2 * p] ?? 0), v - (MESH_UV[2 * p + 1] ?? 0))))
  })
}

/** 1 on the lips, 0 from the nostrils and the chin on. */
function findMouthNearness(): Float32Array {
  return Float32Array.from({ length: MESH_POINTS }, (_, i) => {
    const du = ((MESH_UV[2 * i] ?? 0) - 0.5) / 0.17
    const dv = ((MESH_UV[2 * i + 1] ?? 0) - 0.695) / 0.1
    return smoothstep(1.7, 0.9, Math.hypot(du, dv))
  })
}
