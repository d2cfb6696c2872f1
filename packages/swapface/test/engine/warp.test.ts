import { describe, expect, it } from 'vitest'

import { carryValues, findFacing } from '../../src/engine/facing.ts'
import { MESH_TRIANGLES, MESH_UV } from '../../src/engine/mesh-tables.ts'
import { MESH_POINTS } from '../../src/engine/mesh.ts'
import { createPyramid } from '../../src/engine/pyramid.ts'
import { drawField, FIELD_VALUES, measureStep, readDonor } from '../../src/engine/warp.ts'

const SIZE = 120

function createMesh(scale: number, depth: (x: number) => number): Float32Array {
  const points = new Float32Array(MESH_POINTS * 3)
  for (let i = 0; i < MESH_POINTS; i++) {
    const x = MESH_UV[2 * i] ?? 0
    points.set([x * scale, (MESH_UV[2 * i + 1] ?? 0) * scale, depth(x - 0.5) * scale], 3 * i)
  }
  return points
}

/** Returns values in which each point refers to its own position times `scale`, with full trust. */
function carryPlaces(points: Float32Array, scale: number): Float32Array {
  const carried = new Float32Array(MESH_POINTS * FIELD_VALUES)
  for (let i = 0; i < MESH_POINTS; i++) {
    const [x = 0, y = 0] = points.subarray(3 * i, 3 * i + 2)
    carried.set([x * scale, y * scale, x * scale, y * scale, 1, 1], i * FIELD_VALUES)
  }
  return carried
}

describe('the warp', () => {
  const points = createMesh(SIZE, () => 0)

  it('returns the picture unchanged if the shape is unchanged', () => {
    const rgb = new Uint8Array(SIZE * SIZE * 3)
    for (let i = 0; i < SIZE * SIZE; i++) rgb.set([i % SIZE, Math.floor(i / SIZE), 128], 3 * i)
    const field = drawField(points, carryPlaces(points, 1), MESH_TRIANGLES, SIZE, SIZE, 1)
    const { picture, cover } = readDonor(createPyramid({ width: SIZE, height: SIZE, rgb }), field, SIZE, SIZE)
    let worst = 0
    let covered = 0
    for (let y = 0; y < SIZE; y++) {
      for (let x = 0; x < SIZE; x++) {
        const i = y * SIZE + x
        // Skips the outline and the open mouth, which have uncovered pixels on one side.
        if ((cover.values[i] ?? 0) === 0 || Math.hypot(x - 60, y - 45) > 30) continue
        covered++
        worst = Math.max(worst, Math.abs((picture.rgb[3 * i] ?? 0) - x), Math.abs((picture.rgb[3 * i + 1] ?? 0) - y))
      }
    }
    expect(covered).toBeGreaterThan(2000)
    expect(worst).toBeLessThan(1)
  })

  it('measures by how much the donor is scaled down', () => {
    expect(measureStep(drawField(points, carryPlaces(points, 3), MESH_TRIANGLES, SIZE, SIZE, 1))).toBeCloseTo(3, 1)
  })

  it('shows the nearer of two overlapping surfaces', () => {
    const near = Uint16Array.from([0, 1, 2])
    const both = new Float32Array(MESH_POINTS * 3)
    both.set([0, 0, 5, 80, 0, 5, 0, 80, 5, 0, 0, 1, 80, 0, 1, 0, 80, 1])
    const carried = new Float32Array(MESH_POINTS * FIELD_VALUES)
    for (let i = 3; i < 6; i++) carried[i * FIELD_VALUES] = 9
    const behind = Uint16Array.from([3, 4, 5])
    for (const order of [
      [...near, ...behind],
      [...behind, ...near],
    ]) {
      const field = drawField(both, carried, Uint16Array.from(order), SIZE, SIZE, 1)
      expect(field.values[0]?.values[5 * field.width + 5]).toBeCloseTo(9, 4)
    }
  })

  it('draws neither triangles without area nor triangles outside the picture', () => {
    const field = drawField(new Float32Array(MESH_POINTS * 3), carryPlaces(points, 1), MESH_TRIANGLES, 20, 20, 1)
    expect(field.cover.values.every((value) => value === 0)).toBe(true)
    const away = points.map((value) => value - 500)
    expect(drawField(away, carryPlaces(points, 1), MESH_TRIANGLES, 20, 20, 1).cover.values.every((v) => v === 0)).toBe(
      true,
    )
  })
})

describe('facing', () => {
  it('is 1 in front and decreases to the sides, mirrored or not', () => {
    const round = createMesh(100, (x) => 2 * x * x)
    const mirrored = round.map((value, i) => (i % 3 === 0 ? -value : value))
    for (const facing of [findFacing(round), findFacing(mirrored)]) {
      expect(facing[6]).toBeGreaterThan(0.9)
      expect(facing[234]).toBeLessThan(0.75)
    }
  })

  it('reads the mirror cheek if a cheek is not visible', () => {
    const turned = new Float32Array(MESH_POINTS).fill(0.9)
    turned[234] = 0.05
    const carried = carryValues(new Float32Array(MESH_POINTS * 2), turned, new Float32Array(MESH_POINTS).fill(0.9))
    expect(carried[234 * FIELD_VALUES + 4]).toBe(0)
    expect(carried[454 * FIELD_VALUES + 4]).toBe(1)
    expect(carried[234 * FIELD_VALUES + 5]).toBeGreaterThan(0.9)
  })

  it('does not trust points that are visible on neither cheek', () => {
    const hidden = new Float32Array(MESH_POINTS).fill(0.02)
    const carried = carryValues(new Float32Array(MESH_POINTS * 2), hidden, new Float32Array(MESH_POINTS).fill(1))
    expect(carried[5]).toBe(0)
  })
})
