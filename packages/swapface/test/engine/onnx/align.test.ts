import { describe, expect, test } from 'vitest'

import { fitSimilarity, readAligned, toCropGrid, toTemplate } from '../../../src/engine/onnx/align.ts'
import { createPyramid } from '../../../src/engine/pyramid.ts'

/** Rotates points by 30 degrees, scales them by three and translates them. */
function turn(points: Float32Array): Float32Array {
  const [a, b] = [3 * Math.cos(Math.PI / 6), 3 * Math.sin(Math.PI / 6)]
  return points.map((_, i) => {
    const [x = 0, y = 0] = points.subarray(i - (i % 2))
    return i % 2 === 0 ? a * x - b * y + 40 : b * x + a * y - 7
  })
}

describe('toTemplate', () => {
  test('moves the face to the middle of 128 pixels and keeps its size', () => {
    const [narrow, wide] = [toTemplate(112), toTemplate(128)]
    expect(wide.map((value, i) => value - (narrow[i] ?? 0))).toEqual(Float32Array.of(8, 0, 8, 0, 8, 0, 8, 0, 8, 0))
  })
})

describe('fitSimilarity', () => {
  test('finds rotation, scale and translation', () => {
    const found = fitSimilarity(toTemplate(112), turn(toTemplate(112)))
    expect(found?.a).toBeCloseTo(3 * Math.cos(Math.PI / 6), 4)
    expect(found?.b).toBeCloseTo(3 * Math.sin(Math.PI / 6), 4)
    expect(found?.tx).toBeCloseTo(40, 3)
    expect(found?.ty).toBeCloseTo(-7, 3)
  })

  test('finds the closest similarity if none fits exactly, and maps centre to centre', () => {
    const from = Float32Array.of(0, 0, 10, 0, 0, 10, 10, 10)
    const found = fitSimilarity(from, Float32Array.of(0, 0, 10, 0, 0, 10, 10, 14))
    expect(found === null ? null : found.a * 5 - found.b * 5 + found.tx).toBeCloseTo(5, 5)
    expect(found === null ? null : found.b * 5 + found.a * 5 + found.ty).toBeCloseTo(6, 5)
  })

  test.each([
    ['one point', new Float32Array(10).fill(3)],
    ['no number', new Float32Array(10).fill(Number.NaN)],
  ])('returns null for points that are %s', (_name, points) => {
    expect(fitSimilarity(points, toTemplate(112))).toBeNull()
  })
})

describe('toCropGrid', () => {
  test('maps the crop back to the original points, plus half a pixel', () => {
    const points = turn(toTemplate(128))
    const similarity = fitSimilarity(points, toTemplate(128))
    if (similarity === null) throw new TypeError('these points fit')
    const grid = toCropGrid(similarity)
    const [u = 0, v = 0] = toTemplate(128)
    expect(grid.ax * u + grid.bx * v + grid.cx).toBeCloseTo((points[0] ?? 0) + 0.5, 3)
    expect(grid.ay * u + grid.by * v + grid.cy).toBeCloseTo((points[1] ?? 0) + 0.5, 3)
  })
})

describe('readAligned', () => {
  test('returns planes of red, green and blue, black outside the picture', () => {
    const rgb = Uint8Array.from({ length: 4 * 4 * 3 }, (_, i) => [10, 20, 30][i % 3] ?? 0)
    const pyramid = createPyramid({ width: 4, height: 4, rgb })
    const planes = readAligned(pyramid, { a: 1, b: 0, tx: 0, ty: 0 }, 8, 1, -5)
    expect([planes[0], planes[64], planes[128], planes[63]]).toEqual([5, 15, 25, -5])
  })
})
