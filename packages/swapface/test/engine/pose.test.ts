import { describe, expect, it } from 'vitest'

import { MESH_TRIANGLES, MESH_UV } from '../../src/engine/mesh-tables.ts'
import { MESH_POINTS, MIRROR_POINT, toFaceMesh } from '../../src/engine/mesh.ts'
import { alignShape, FACE_OVAL, findMouthOpenness, findYaw, mixShapes, toDonorFace } from '../../src/engine/pose.ts'

/** Creates a face from the flat mesh on a rounded front, scaled, rotated by `yaw` and translated. */
function createFace(yaw: number, scale = 200, shift = 0): Float32Array {
  const points = new Float32Array(MESH_POINTS * 3)
  for (let i = 0; i < MESH_POINTS; i++) {
    const x = (MESH_UV[2 * i] ?? 0) - 0.5
    const y = (MESH_UV[2 * i + 1] ?? 0) - 0.5
    const z = 1.2 * x * x - 0.3
    points[3 * i] = shift + scale * (x * Math.cos(yaw) + z * Math.sin(yaw))
    points[3 * i + 1] = shift + scale * y
    points[3 * i + 2] = scale * (z * Math.cos(yaw) - x * Math.sin(yaw))
  }
  return points
}

function findLargest(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? 0))), 0)
}

describe('the mesh tables', () => {
  it('name points that exist', () => {
    expect(MESH_UV).toHaveLength(MESH_POINTS * 2)
    expect(MESH_TRIANGLES).toHaveLength(880 * 3)
    expect(Math.max(...MESH_TRIANGLES)).toBe(MESH_POINTS - 1)
  })

  it('are symmetric: the mirror of the mirror is the point itself', () => {
    expect([...MIRROR_POINT].every((other, i) => MIRROR_POINT[other] === i)).toBe(true)
  })
})

describe('alignShape', () => {
  it('recovers rotation, scale and translation', () => {
    const from = createFace(-0.4, 80, 10)
    const to = createFace(0.5, 200, 300)
    expect(findLargest(alignShape(from, to), to)).toBeLessThan(0.05)
  })

  it('recovers a half turn', () => {
    const from = createFace(0)
    const to = from.map((value, i) => (i % 3 === 2 ? value : -value))
    expect(findLargest(alignShape(from, to), to)).toBeLessThan(0.05)
  })
})

describe('findYaw', () => {
  it('returns the yaw of a face of any size', () => {
    expect(Math.abs(findYaw(createFace(0.4, 37)))).toBeCloseTo(0.4, 2)
    expect(findYaw(createFace(0.3))).toBeCloseTo(-findYaw(createFace(-0.3)), 3)
  })
})

describe('toDonorFace', () => {
  it('mirrors a donor only if it looks the other way', () => {
    const [left, right, front] = [0.5, -0.5, 0].map((yaw) => toFaceMesh(createFace(yaw)))
    if (!left || !right || !front) throw new TypeError('Three faces are made.')
    expect(toDonorFace(left, right).mirrored).toBe(true)
    expect(toDonorFace(left, left).mirrored).toBe(false)
    expect(toDonorFace(front, right).mirrored).toBe(false)
    expect(findYaw(toDonorFace(left, right).shape)).toBeCloseTo(findYaw(right.points), 2)
  })
})

describe('mixShapes', () => {
  it('keeps the target’s outline and approaches the donor inside', () => {
    const target = createFace(0)
    const donor = createFace(0)
    // A longer nose.
    donor[3 * 4 + 1] = (donor[3 * 4 + 1] ?? 0) + 20
    const { points } = mixShapes(target, donor)
    for (const p of FACE_OVAL) expect(points[3 * p + 1]).toBeCloseTo(target[3 * p + 1] ?? 0, 1)
    const moved = (points[3 * 4 + 1] ?? 0) - (target[3 * 4 + 1] ?? 0)
    expect(moved).toBeGreaterThan(8)
    expect(moved).toBeLessThan(20)
  })

  it('keeps the target’s mouth if it is wide open and the donor’s is not', () => {
    const open = createFace(0)
    open[3 * 13 + 1] = (open[3 * 13 + 1] ?? 0) - 20
    open[3 * 14 + 1] = (open[3 * 14 + 1] ?? 0) + 20
    expect(findMouthOpenness(open)).toBeGreaterThan(0.5)
    expect(mixShapes(open, createFace(0)).keepsMouth).toBe(true)
    expect(mixShapes(createFace(0), open).keepsMouth).toBe(false)
  })
})
