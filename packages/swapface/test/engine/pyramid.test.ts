import { describe, expect, it } from 'vitest'

import type { Picture } from '../../src/engine/picture.ts'
import { chooseLevel, createPyramid, getLevel, sampleGrid, toSquareGrid } from '../../src/engine/pyramid.ts'

/** Red grows to the right, green downward. */
function createRamp(width: number, height: number): Picture {
  const rgb = new Uint8Array(width * height * 3)
  for (let i = 0; i < width * height; i++) rgb.set([i % width, Math.floor(i / width), 7], 3 * i)
  return { width, height, rgb }
}

describe('sampleGrid', () => {
  it('returns the exact pixels for a grid with a step of one pixel', () => {
    const into = new Float32Array(8 * 8 * 3)
    sampleGrid(createPyramid(createRamp(8, 8)), toSquareGrid(4, 4, 8, 0, 8), 8, 8, into, 1, 0, true)
    expect(Array.from(into.subarray(0, 6))).toEqual([0, 0, 7, 1, 0, 7])
    expect(Array.from(into.subarray(-3))).toEqual([7, 7, 7])
  })

  it('rotates clockwise', () => {
    const into = new Float32Array(8 * 8 * 3)
    sampleGrid(createPyramid(createRamp(8, 8)), toSquareGrid(4, 4, 8, Math.PI / 2, 8), 8, 8, into, 1, 0, true)
    // The first point of the rotated grid is the upper right corner.
    expect(into[0]).toBeCloseTo(7, 4)
    expect(into[1]).toBeCloseTo(0, 4)
  })

  it('returns black outside the picture, or repeats the edge', () => {
    const pyramid = createPyramid(createRamp(8, 8))
    const grid = toSquareGrid(-50, 4, 8, 0, 2)
    const into = new Float32Array(2 * 2 * 3)
    sampleGrid(pyramid, grid, 2, 2, into, 2, -1, true)
    expect(Array.from(into.subarray(0, 3))).toEqual([-1, -1, -1])
    sampleGrid(pyramid, grid, 2, 2, into, 2, -1, false)
    expect(into[2]).toBe(13)
  })

  it('reads a fine pattern as its mean at a smaller scale', () => {
    const rgb = new Uint8Array(64 * 64 * 3).map((_, i) => (Math.floor(i / 3) % 2 === 0 ? 0 : 200))
    const into = new Float32Array(4 * 4 * 3)
    sampleGrid(createPyramid({ width: 64, height: 64, rgb }), toSquareGrid(32, 32, 64, 0, 4), 4, 4, into, 1, 0, true)
    expect([...into].every((value) => Math.abs(value - 100) < 2)).toBe(true)
  })
})

describe('getLevel', () => {
  it('rounds up when it halves odd sizes, and stops at one pixel', () => {
    const pyramid = createPyramid(createRamp(5, 3))
    expect([getLevel(pyramid, 1).width, getLevel(pyramid, 1).height]).toEqual([3, 2])
    expect(getLevel(pyramid, 9).height).toBe(1)
  })

  it('chooses the level whose pixels are about as large as the step', () => {
    expect([0.3, 1, 2, 4.1].map(chooseLevel)).toEqual([0, 0, 1, 2])
  })
})
