import { describe, expect, it } from 'vitest'

import { blurPlane, growPlane, narrowPlane, shrinkPicture, widenPlane } from '../../src/engine/blur.ts'
import { createPlane, type Plane } from '../../src/engine/picture.ts'

function createDot(size: number): Plane {
  const plane = createPlane(size, size)
  plane.values[(size * size - 1) / 2] = 1
  return plane
}

function sum(values: Float32Array): number {
  return values.reduce((total, value) => total + value, 0)
}

describe('blurPlane', () => {
  it('spreads a dot evenly and preserves its sum', () => {
    const plane = createDot(41)
    blurPlane(plane, 3)
    expect(sum(plane.values)).toBeCloseTo(1, 4)
    const row = plane.values.slice(20 * 41, 21 * 41)
    expect(row[20 - 4]).toBeCloseTo(row[20 + 4] ?? -1, 6)
    const variance = row.reduce((total, value, x) => total + value * (x - 20) ** 2, 0) / sum(row)
    expect(Math.sqrt(variance)).toBeCloseTo(3, 0)
  })

  it('leaves a uniform plane unchanged up to the border', () => {
    const plane = createPlane(9, 7)
    plane.values.fill(5)
    blurPlane(plane, 4)
    expect([...plane.values].every((value) => Math.abs(value - 5) < 1e-4)).toBe(true)
  })

  it('accepts a radius wider than the plane', () => {
    const plane = createDot(3)
    blurPlane(plane, 20)
    expect(plane.values.every((value) => Number.isFinite(value))).toBe(true)
  })
})

describe('shrinkPicture', () => {
  it('averages blocks, smaller ones at the border', () => {
    const rgb = Float32Array.from([0, 0, 0, 10, 20, 30, 90, 90, 90])
    const small = shrinkPicture({ width: 3, height: 1, rgb }, 2)
    expect([small.width, small.height, ...small.rgb]).toEqual([2, 1, 5, 10, 15, 90, 90, 90])
  })
})

describe('growPlane', () => {
  it('keeps the values at block centres and interpolates linearly between them', () => {
    const grown = growPlane({ width: 2, height: 1, values: Float32Array.from([0, 8]) }, 4, 8, 1)
    expect([...grown.values]).toEqual([0, 0, 1, 3, 5, 7, 8, 8])
  })
})

describe('widenPlane and narrowPlane', () => {
  it('dilate a dot to a square and erode it back', () => {
    const wide = widenPlane(createDot(9), 2)
    expect(sum(wide.values)).toBe(25)
    expect(sum(narrowPlane(wide, 2).values)).toBe(1)
  })
})
