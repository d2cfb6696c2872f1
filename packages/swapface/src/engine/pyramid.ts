/**
 * Image pyramid (mipmap): a picture and its halvings, so that any part can be read at a smaller scale without aliasing,
 * at the cost of the output pixels only. Levels are created on first use. The detector, the mesh and the warp read
 * pixels through it.
 *
 * Coordinates are continuous: the centre of the first pixel is 0.5, so that a multiplication changes the scale.
 */
import type { Picture } from './picture.ts'

export interface Pyramid {
  readonly width: number
  readonly height: number
  /** Level 0 is the picture itself. Only `getLevel` adds levels. */
  readonly levels: Picture[]
}

/** x = ax * column + bx * row + cx, y = ay * column + by * row + cy, in continuous picture coordinates. */
export interface SampleGrid {
  readonly ax: number
  readonly bx: number
  readonly cx: number
  readonly ay: number
  readonly by: number
  readonly cy: number
}

export function createPyramid(picture: Picture): Pyramid {
  return { width: picture.width, height: picture.height, levels: [picture] }
}

/** Returns the picture halved `level` times, or fewer if it is too small. */
export function getLevel(pyramid: Pyramid, level: number): Picture {
  let last = pyramid.levels.at(-1)
  if (last === undefined) throw new TypeError('A pyramid must have at least its picture.')
  while (pyramid.levels.length <= level && last.width > 1 && last.height > 1) {
    last = halve(last)
    pyramid.levels.push(last)
  }
  return pyramid.levels[level] ?? last
}

/** Returns the level to read if one output pixel covers `step` picture pixels. */
export function chooseLevel(step: number): number {
  return Math.max(0, Math.floor(Math.log2(step) + 0.4))
}

/** Returns a `count` x `count` grid over a square of `size` picture pixels, rotated clockwise by `angle` (radians). */
export function toSquareGrid(centreX: number, centreY: number, size: number, angle: number, count: number): SampleGrid {
  const step = size / count
  const ax = step * Math.cos(angle)
  const ay = step * Math.sin(angle)
  const middle = (count - 1) / 2
  return { ax, ay, bx: -ay, by: ax, cx: centreX - middle * (ax - ay), cy: centreY - middle * (ay + ax) }
}

/**
 * Samples a grid into `into`: three floats per point, each `value * multiply + add`. Points outside the picture repeat
 * its edge, or are black with `blankOutside`.
 */
export function sampleGrid(
  pyramid: Pyramid,
  grid: SampleGrid,
  columns: number,
  rows: number,
  into: Float32Array,
  multiply: number,
  add: number,
  blankOutside: boolean,
): void {
  const level = getLevel(pyramid, chooseLevel(Math.hypot(grid.ax, grid.ay)))
  const toLevelX = level.width / pyramid.width
  const toLevelY = level.height / pyramid.height
  const scaled: SampleGrid = {
    ax: grid.ax * toLevelX,
    bx: grid.bx * toLevelX,
    cx: grid.cx * toLevelX - 0.5,
    ay: grid.ay * toLevelY,
    by: grid.by * toLevelY,
    cy: grid.cy * toLevelY - 0.5,
  }
  for (let row = 0; row < rows; row++) sampleRow(level, scaled, row, columns, into, multiply, add, blankOutside)
}

function sampleRow(
  picture: Picture,
  grid: SampleGrid,
  row: number,
  columns: number,
  into: Float32Array,
  multiply: number,
  add: number,
  blankOutside: boolean,
): void {
  const { width, height, rgb } = picture
  const maxX = width - 1
  const maxY = height - 1
  let at = row * columns * 3
  for (let column = 0; column < columns; column++, at += 3) {
    const rawX = grid.ax * column + grid.bx * row + grid.cx
    const rawY = grid.ay * column + grid.by * row + grid.cy
    if (blankOutside && (rawX < -0.5 || rawY < -0.5 || rawX > maxX + 0.5 || rawY > maxY + 0.5)) {
      into[at] = add
      into[at + 1] = add
      into[at + 2] = add
      continue
    }
    const x = Math.min(maxX, Math.max(0, rawX))
    const y = Math.min(maxY, Math.max(0, rawY))
    const left = Math.floor(x)
    const top = Math.floor(y)
    const fx = x - left
    const fy = y - top
    const right = left < maxX ? 3 : 0
    const down = top < maxY ? width * 3 : 0
    const p = (top * width + left) * 3
    const w00 = (1 - fx) * (1 - fy) * multiply
    const w10 = fx * (1 - fy) * multiply
    const w01 = (1 - fx) * fy * multiply
    const w11 = fx * fy * multiply
    for (let c = 0; c < 3; c++) {
      const q = p + c
      into[at + c] =
        (rgb[q] ?? 0) * w00 +
        (rgb[q + right] ?? 0) * w10 +
        (rgb[q + down] ?? 0) * w01 +
        (rgb[q + down + right] ?? 0) * w11 +
        add
    }
  }
}

function halve(picture: Picture): Picture {
  const width = Math.ceil(picture.width / 2)
  const height = Math.ceil(picture.height / 2)
  const rgb = new Uint8Array(width * height * 3)
  for (let row = 0; row < height; row++) halveRow(picture, row, width, rgb)
  return { width, height, rgb }
}

function halveRow(picture: Picture, row: number, width: number, into: Uint8Array): void {
  const from = picture.rgb
  const stride = picture.width * 3
  const top = row * 2 * stride
  const bottom = row * 2 + 1 < picture.height ? top + stride : top
  const lastPair = picture.width % 2 === 0 ? width : width - 1
  let at = row * width * 3
  for (let column = 0; column < width; column++) {
    const right = column < lastPair ? 3 : 0
    for (let c = 0; c < 3; c++, at++) {
      const p = column * 6 + c
      const sum =
        (from[top + p] ?? 0) + (from[top + p + right] ?? 0) + (from[bottom + p] ?? 0) + (from[bottom + p + right] ?? 0)
      into[at] = (sum + 2) >> 2
    }
  }
}
