/**
 * Finds the parts of both faces that face the camera. If the donor's picture shows a cheek only from the side, it has
 * too few pixels of it: the other cheek is sampled instead. If neither is visible, the target's cheek stays.
 */
import { MESH_TRIANGLES } from './mesh-tables.ts'
import { MESH_POINTS, MIRROR_POINT } from './mesh.ts'
import { smoothstep } from './picture.ts'
import { FIELD_VALUES } from './warp.ts'

/** Returns for each mesh point: 1 if it faces the camera, 0 if seen from the side, below 0 if it faces away. */
export function findFacing(points: Float32Array): Float32Array {
  const normals = new Float32Array(MESH_POINTS * 3)
  for (let t = 0; t < MESH_TRIANGLES.length; t += 3) {
    addNormal(points, MESH_TRIANGLES[t] ?? 0, MESH_TRIANGLES[t + 1] ?? 0, MESH_TRIANGLES[t + 2] ?? 0, normals)
  }
  const facing = new Float32Array(MESH_POINTS)
  let sum = 0
  for (let i = 0; i < MESH_POINTS; i++) {
    const [x = 0, y = 0, z = 0] = normals.subarray(3 * i, 3 * i + 3)
    facing[i] = z / Math.max(1e-9, Math.hypot(x, y, z))
    sum += facing[i] ?? 0
  }
  // The winding order of the triangles is arbitrary, and reversed in a mirrored mesh. Most of a face is visible.
  return sum < 0 ? facing.map((value) => -value) : facing
}

function addNormal(points: Float32Array, a: number, b: number, c: number, normals: Float32Array): void {
  const ux = (points[3 * b] ?? 0) - (points[3 * a] ?? 0)
  const uy = (points[3 * b + 1] ?? 0) - (points[3 * a + 1] ?? 0)
  const uz = (points[3 * b + 2] ?? 0) - (points[3 * a + 2] ?? 0)
  const vx = (points[3 * c] ?? 0) - (points[3 * a] ?? 0)
  const vy = (points[3 * c + 1] ?? 0) - (points[3 * a + 1] ?? 0)
  const vz = (points[3 * c + 2] ?? 0) - (points[3 * a + 2] ?? 0)
  const nx = uy * vz - uz * vy
  const ny = uz * vx - ux * vz
  const nz = ux * vy - uy * vx
  for (const p of [a, b, c]) {
    normals[3 * p] = (normals[3 * p] ?? 0) + nx
    normals[3 * p + 1] = (normals[3 * p + 1] ?? 0) + ny
    normals[3 * p + 2] = (normals[3 * p + 2] ?? 0) + nz
  }
}

/** Returns the values of each mesh point for the warp field; see `WarpField`. */
export function carryValues(
  texture: Float32Array,
  donorFacing: Float32Array,
  targetFacing: Float32Array,
): Float32Array {
  const carried = new Float32Array(MESH_POINTS * FIELD_VALUES)
  for (let i = 0; i < MESH_POINTS; i++) {
    const other = MIRROR_POINT[i] ?? 0
    const own = donorFacing[i] ?? 0
    const opposite = donorFacing[other] ?? 0
    // On the middle line both are the same point.
    const share = opposite > own + 0.1 ? smoothstep(0.1, 0.45, own) : 1
    const seen = Math.max(own, share < 1 ? opposite : own)
    const trust = smoothstep(0.12, 0.45, seen / Math.max(0.3, 0.55 * Math.max(0, targetFacing[i] ?? 0) + 0.45))
    const at = i * FIELD_VALUES
    carried[at] = texture[2 * i] ?? 0
    carried[at + 1] = texture[2 * i + 1] ?? 0
    carried[at + 2] = texture[2 * other] ?? 0
    carried[at + 3] = texture[2 * other + 1] ?? 0
    carried[at + 4] = share
    carried[at + 5] = trust
  }
  return carried
}
