import { describe, expect, test } from 'vitest'

import { readAligned, type Similarity } from '../../../src/engine/onnx/align.ts'
import { pasteFace, SWAP_SIZE } from '../../../src/engine/onnx/paste.ts'
import type { Picture } from '../../../src/engine/picture.ts'
import { createPyramid } from '../../../src/engine/pyramid.ts'

const PLACES = SWAP_SIZE * SWAP_SIZE

/** Draws slow shading, which scaling does not change. */
function drawShade(width: number, height: number): Picture {
  const rgb = new Uint8Array(width * height * 3)
  for (let i = 0; i < rgb.length; i++) rgb[i] = 60 + (Math.floor(i / 3) % width) / (width / 100) + 20 * (i % 3)
  return { width, height, rgb }
}

function copy(picture: Picture): Picture {
  return { ...picture, rgb: picture.rgb.slice() }
}

function pixel({ rgb, width }: Picture, x: number, y: number): number[] {
  return [...rgb.subarray(3 * (y * width + x), 3 * (y * width + x) + 3)]
}

/** Returns a crop around a point of the picture, rotated by `angle`, `side` pixels wide. */
function around(x: number, y: number, side: number, angle: number): Similarity {
  const a = (SWAP_SIZE / side) * Math.cos(angle)
  const b = (SWAP_SIZE / side) * Math.sin(angle)
  const middle = (SWAP_SIZE - 1) / 2
  return { a, b, tx: middle - a * x + b * y, ty: middle - b * x - a * y }
}

describe.each([
  ['a small face', 300, 90, 0],
  ['a turned face', 300, 160, 0.7],
  ['a face larger than the working size', 1100, 800, -0.4],
])('pasteFace pastes %s', (_name, size, side, angle) => {
  const similarity = around(size / 2, size / 2, side, angle)

  test('paints the colour into the middle, and changes nothing outside the square', () => {
    const before = drawShade(size, size)
    const after = copy(before)
    const blue = new Float32Array(3 * PLACES)
    blue.fill(1, 2 * PLACES)
    pasteFace(createPyramid(after), similarity, blue)
    expect(pixel(after, size / 2, size / 2)).toEqual([0, 0, 255])
    const reach = (side / 2) * Math.SQRT2 + 2
    let touched = 0
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        if (Math.hypot(x - size / 2, y - size / 2) <= reach) continue
        if (pixel(after, x, y).join() !== pixel(before, x, y).join()) touched++
      }
    }
    expect(touched).toBe(0)
  })

  test('changes almost nothing if the network returns the face unchanged', () => {
    const before = drawShade(size, size)
    const after = copy(before)
    const pyramid = createPyramid(after)
    pasteFace(pyramid, similarity, readAligned(pyramid, similarity, SWAP_SIZE, 1 / 255, 0))
    let worst = 0
    for (let i = 0; i < before.rgb.length; i++) {
      worst = Math.max(worst, Math.abs((before.rgb[i] ?? 0) - (after.rgb[i] ?? 0)))
    }
    expect(worst).toBeLessThanOrEqual(2)
  })
})

test('pasteFace changes nothing for a face outside the picture', () => {
  const before = drawShade(64, 64)
  const after = copy(before)
  pasteFace(createPyramid(after), around(900, 900, 60, 0), new Float32Array(3 * PLACES))
  expect(after.rgb).toEqual(before.rgb)
})
