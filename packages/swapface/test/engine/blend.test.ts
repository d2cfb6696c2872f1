import { describe, expect, it } from 'vitest'

import { blendDifference } from '../../src/engine/blend.ts'
import { pasteChange, planCrop, readCrop, toCropPoints } from '../../src/engine/crop.ts'
import { drawPolygon } from '../../src/engine/mask.ts'
import { solveMembrane } from '../../src/engine/membrane.ts'
import { createFloatPicture, createPlane, type FloatPicture } from '../../src/engine/picture.ts'
import { createPyramid } from '../../src/engine/pyramid.ts'
import { matchDetail, measureDetail } from '../../src/engine/sharpness.ts'

function fill(size: number, value: (x: number, y: number) => number): FloatPicture {
  const picture = createFloatPicture(size, size)
  for (let i = 0; i < size * size; i++) picture.rgb.fill(value(i % size, Math.floor(i / size)), 3 * i, 3 * i + 3)
  return picture
}

function whole(size: number) {
  const plane = createPlane(size, size)
  plane.values.fill(1)
  return plane
}

const at = (values: Float32Array, size: number, x: number, y: number): number =>
  values[3 * (y * size + x)] ?? Number.NaN

describe('blendDifference', () => {
  const size = 65
  const target = fill(size, (x, y) => (x * 37 + y * 11) % 90)
  const donor = fill(size, (x, y) => 100 + ((x * 13 + y * 29) % 70))

  it('returns exactly the donor for a full mask', () => {
    const change = blendDifference(target, donor, whole(size), whole(size), 4)
    const worst = change.reduce(
      (most, value, i) => Math.max(most, Math.abs((target.rgb[i] ?? 0) + value - (donor.rgb[i] ?? 0))),
      0,
    )
    expect(worst).toBeLessThan(1e-3)
  })

  it('changes nothing for an empty mask', () => {
    const change = blendDifference(target, donor, whole(size), createPlane(size, size), 4)
    expect(change.every((value) => value === 0)).toBe(true)
  })

  it('blends low frequencies slowly: a hard mask leaves no step between two even fields', () => {
    const mask = createPlane(size, size)
    for (let y = 0; y < size; y++) mask.values.fill(1, y * size, y * size + 32)
    const change = blendDifference(
      fill(size, () => 50),
      fill(size, () => 150),
      whole(size),
      mask,
      5,
    )
    const steps = Array.from({ length: size - 1 }, (_, x) =>
      Math.abs(at(change, size, x + 1, 30) - at(change, size, x, 30)),
    )
    expect(Math.max(...steps)).toBeLessThan(15)
    expect(at(change, size, 0, 30)).toBeGreaterThan(85)
    expect(at(change, size, 64, 30)).toBeLessThan(15)
  })
})

describe('solveMembrane', () => {
  it('interpolates smoothly between its fixed points', () => {
    const size = 40
    const holds = createPlane(size, size)
    for (let y = 0; y < size; y++) {
      holds.values.fill(1, y * size, y * size + 2)
      holds.values.fill(1, y * size + size - 2, y * size + size)
    }
    const target = fill(size, (x) => (x < size / 2 ? 120 : 100))
    const [red] = solveMembrane(
      target,
      fill(size, () => 100),
      holds,
    )
    if (!red) throw new TypeError('There is a film for each channel.')
    const row = red.values.slice(20 * size, 21 * size)
    expect(row[1]).toBeCloseTo(20, 0)
    expect(row[38]).toBeCloseTo(0, 0)
    expect(row[20]).toBeGreaterThan(6)
    expect(row[20]).toBeLessThan(16)
  })

  it('is bounded, and zero without fixed points', () => {
    const [limited] = solveMembrane(
      fill(8, () => 255),
      fill(8, () => 0),
      whole(8),
    )
    expect(limited?.values[20]).toBeCloseTo(30, 3)
    const [free] = solveMembrane(
      fill(8, () => 255),
      fill(8, () => 0),
      createPlane(8, 8),
    )
    expect(free?.values.every((value) => value === 0)).toBe(true)
  })
})

describe('matchDetail', () => {
  const size = 32
  const noisy = (amount: number): FloatPicture =>
    fill(size, (x, y) => 128 + amount * Math.sin(x * 2.1) * Math.sin(y * 1.9))

  it('smooths a donor that is sharper than the target', () => {
    const target = noisy(4)
    const donor = noisy(16)
    const ratio = measureDetail(donor, whole(size)) / measureDetail(target, whole(size))
    expect(ratio).toBeCloseTo(4, 1)
    matchDetail(donor, whole(size), ratio)
    expect(measureDetail(donor, whole(size)) / measureDetail(target, whole(size))).toBeLessThan(2)
  })

  it('sharpens a softer donor a little, and leaves an equally sharp one unchanged', () => {
    const soft = noisy(6)
    matchDetail(soft, whole(size), 0.5)
    expect(measureDetail(soft, whole(size))).toBeGreaterThan(measureDetail(noisy(6), whole(size)))
    const same = noisy(6)
    matchDetail(same, whole(size), 1)
    expect([...same.rgb]).toEqual([...noisy(6).rgb])
  })
})

describe('the crop', () => {
  const picture = { width: 400, height: 300, rgb: new Uint8Array(400 * 300 * 3).map((_, i) => (i * 7) % 251) }
  const box = Float32Array.from([100, 80, 0, 220, 80, 0, 160, 230, 0])

  it('is read and pasted back without a difference if the change is zero', () => {
    const pyramid = createPyramid({ ...picture, rgb: picture.rgb.slice() })
    const crop = planCrop(box, pyramid, 150, 100)
    if (crop === null) throw new TypeError('The box lies in the picture.')
    expect(crop.scale).toBe(1)
    const work = readCrop(pyramid, crop)
    pasteChange(
      pyramid.levels[0] ?? picture,
      crop,
      work,
      new Float32Array(work.rgb.length),
      createPlane(work.width, work.height),
    )
    expect(pyramid.levels[0]?.rgb).toEqual(picture.rgb)
  })

  it('keeps the pixels outside the mask if the working size is reduced', () => {
    const pyramid = createPyramid({ ...picture, rgb: picture.rgb.slice() })
    const crop = planCrop(box, pyramid, 1500, 10)
    if (crop === null) throw new TypeError('The box lies in the picture.')
    expect(crop.scale).toBeLessThan(0.3)
    const work = readCrop(pyramid, crop)
    pasteChange(
      pyramid.levels[0] ?? picture,
      crop,
      work,
      new Float32Array(work.rgb.length),
      createPlane(work.width, work.height),
    )
    expect(pyramid.levels[0]?.rgb).toEqual(picture.rgb)
  })

  it('converts points to its coordinates', () => {
    const crop = { left: 10, top: 20, width: 100, height: 100, scale: 0.5 }
    expect([...toCropPoints(Float32Array.from([30, 40, 8]), crop)]).toEqual([10, 10, 4])
  })

  it('is null for a face outside the picture', () => {
    expect(
      planCrop(
        box.map((value) => value + 5000),
        createPyramid(picture),
        150,
        100,
      ),
    ).toBeNull()
  })
})

describe('drawPolygon', () => {
  it('fills pixels whose centre is inside, and ignores points outside the plane', () => {
    const points = Float32Array.from([2, 2, 0, 6, 2, 0, 6, 5, 0, 2, 5, 0, -90, -90, 0])
    const square = drawPolygon(points, [0, 1, 2, 3], 8, 8)
    expect(square.values.reduce((sum, value) => sum + value, 0)).toBe(12)
    expect(drawPolygon(points, [4, 4, 4], 8, 8).values.every((value) => value === 0)).toBe(true)
  })
})
