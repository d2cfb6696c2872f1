/**
 * Lights the painted face and rotates the head. The relief defines a normal and a depth for every pixel. The normals
 * define the shading: a key light from the upper left with the soft red edge of light in skin, a cool fill light, and a
 * weak specular reflection. The depths define cast shadows, occlusion, and the rotation, which shifts each pixel
 * sideways by its depth.
 */
import { createBreath } from './breath.ts'
import { CENTRE_X, CENTRE_Y, HEIGHT, UNIT, WIDTH, type Person } from './person.ts'
import { findHalfWidth, findRelief } from './relief.ts'

/** RGBA, one byte each, not premultiplied. */
export type Layer = Uint8Array

const KEY = normalise([-0.42, -0.5, 0.76])
const STEP = 2
const COLUMNS = WIDTH / STEP
const ROWS = HEIGHT / STEP

interface Relief {
  readonly depth: Float32Array
  readonly shadow: Float32Array
  readonly hollow: Float32Array
}

/** Returns the face, lit and rotated. @param albedo RGB of the painted face. */
export async function lightFace(person: Person, albedo: Uint8Array): Promise<Layer> {
  const breathe = createBreath()
  const relief = await buildRelief(person, breathe)
  const lit = new Uint8Array(WIDTH * HEIGHT * 4)
  for (let row = 0; row < HEIGHT; row++) {
    lightRow(person, relief, albedo, row, lit)
    await breathe()
  }
  return turnLayer(lit, person.turn, (x, y) => readDepth(relief.depth, x, y), breathe)
}

/** Returns the flat hair, lit like a smooth dome with a bright band, and rotated with the head. */
export async function lightHair(person: Person, hair: Uint8Array, sheen: number): Promise<Layer> {
  const breathe = createBreath()
  const lit = new Uint8Array(hair.length)
  for (let row = 0; row < HEIGHT; row++) {
    lightHairRow(hair, row, sheen, person.turn, lit)
    await breathe()
  }
  return turnLayer(lit, person.turn, findDomeDepth, breathe)
}

async function buildRelief(person: Person, breathe: () => Promise<void>): Promise<Relief> {
  const depth = new Float32Array(COLUMNS * ROWS)
  for (let row = 0; row < ROWS; row++) {
    const y = ((row + 0.5) * STEP - CENTRE_Y) / UNIT
    const half = findHalfWidth(person, y)
    for (let column = 0; column < COLUMNS; column++) {
      depth[row * COLUMNS + column] = findRelief(person, ((column + 0.5) * STEP - CENTRE_X) / UNIT, y, half)
    }
    await breathe()
  }
  const shadow = new Float32Array(depth.length)
  const soft = blur(depth, 14)
  await breathe()
  const fine = blur(depth, 4)
  const hollow = new Float32Array(depth.length)
  for (let row = 0; row < ROWS; row++) {
    for (let column = 0; column < COLUMNS; column++) {
      const at = row * COLUMNS + column
      shadow[at] = findShadow(depth, column, row)
      const wide = Math.max(0, (soft[at] ?? 0) - (depth[at] ?? 0))
      const narrow = Math.max(0, (fine[at] ?? 0) - (depth[at] ?? 0))
      hollow[at] = Math.min(0.6, wide * 1.6 + narrow * 2.4)
    }
    await breathe()
  }
  return { depth, shadow: blur(shadow, 5), hollow: blur(hollow, 2) }
}

/** Returns how much of the key light is blocked by parts nearer to it, 0 to 1. */
function findShadow(depth: Float32Array, column: number, row: number): number {
  const own = depth[row * COLUMNS + column] ?? 0
  if (own < -0.3) return 0
  const perStep = STEP / UNIT
  let blocked = 0
  for (let i = 2; i < 34; i += 2) {
    const x = Math.round(column + (KEY[0] ?? 0) * i * 1.5)
    const y = Math.round(row + (KEY[1] ?? 0) * i * 1.5)
    if (x < 0 || y < 0) break
    const ray = own + (KEY[2] ?? 0) * i * 1.5 * perStep
    blocked = Math.max(blocked, Math.min(1, ((depth[y * COLUMNS + x] ?? 0) - ray) * 14))
  }
  return blocked
}

function lightRow(person: Person, relief: Relief, albedo: Uint8Array, row: number, into: Uint8Array): void {
  const cos = Math.cos(person.turn)
  const sin = Math.sin(person.turn)
  const y = (row + 0.5 - CENTRE_Y) / UNIT
  const half = findHalfWidth(person, y)
  for (let column = 0; column < WIDTH; column++) {
    const x = (column + 0.5 - CENTRE_X) / UNIT
    const alpha = Math.min(1, Math.max(0, (half * 1.03 - Math.abs(x)) * UNIT + 0.5))
    if (alpha === 0) continue
    const step = 2.2 / UNIT
    const gx = (readDepth(relief.depth, x + step, y) - readDepth(relief.depth, x - step, y)) / (2 * step)
    const gy = (readDepth(relief.depth, x, y + step) - readDepth(relief.depth, x, y - step)) / (2 * step)
    const length = Math.hypot(gx, gy, 1)
    const [ux, ny, uz] = [-gx / length, -gy / length, 1 / length]
    const nx = ux * cos + uz * sin
    const nz = uz * cos - ux * sin
    const facing = nx * (KEY[0] ?? 0) + ny * (KEY[1] ?? 0) + nz * (KEY[2] ?? 0)
    const open = 1 - 0.75 * readDepth(relief.shadow, x, y)
    const hollow = 1 - readDepth(relief.hollow, x, y)
    // A light in front of the face would give a plane that faces it the value 1.
    const fill = 0.2 + 0.12 * nz + 0.1 * Math.max(0, nx) - 0.05 * ny
    const mirror = Math.max(0, 2 * facing * nz - (KEY[2] ?? 0))
    const sheen = 0.075 * mirror ** 7 * open * (1 - 0.35 * person.age) + 0.05 * mirror ** 26 * open
    const at = row * WIDTH + column
    // Brows and beard, which are painted on the face, do not shine like skin.
    const gloss = sheen * Math.min(1, Math.max(0.08, ((albedo[3 * at] ?? 0) - 30) / 130))
    for (let c = 0; c < 3; c++) {
      // Subsurface scattering: light that enters skin leaves it as red light nearby.
      const wrap = [0.34, 0.17, 0.11][c] ?? 0
      const key = (Math.max(0, facing + wrap) / (1 + wrap)) * (open + (1 - open) * ([0.25, 0.06, 0.03][c] ?? 0))
      const tintFill = [0.94, 1, 1.1][c] ?? 1
      const cavity = hollow ** ([0.75, 1.1, 1.2][c] ?? 1)
      const light = (0.98 * key * ([1.03, 1, 0.95][c] ?? 1) + fill * tintFill) * cavity
      const base = ((albedo[3 * at + c] ?? 0) / 255) ** 2.2
      into[4 * at + c] = toByte(base * light + gloss)
    }
    into[4 * at + 3] = Math.round(alpha * 255)
  }
}

function lightHairRow(hair: Uint8Array, row: number, sheen: number, turn: number, into: Uint8Array): void {
  const y = (row + 0.5 - CENTRE_Y) / UNIT
  for (let column = 0; column < WIDTH; column++) {
    const at = 4 * (row * WIDTH + column)
    const alpha = hair[at + 3] ?? 0
    if (alpha === 0) continue
    const x = (column + 0.5 - CENTRE_X) / UNIT
    const nx = x / 1.35 + 0.5 * turn
    const ny = Math.min(0.5, (y + 0.35) / 1.5)
    const nz = Math.sqrt(Math.max(0.04, 1 - nx * nx - ny * ny))
    const facing = Math.max(0, nx * (KEY[0] ?? 0) + ny * (KEY[1] ?? 0) + nz * (KEY[2] ?? 0))
    const band = Math.exp(-(((y + 1.02 - 0.3 * x * x + 0.1 * x) / 0.2) ** 2)) * facing
    const light = 0.34 + 0.82 * facing + 0.55 * sheen * band
    for (let c = 0; c < 3; c++) {
      const base = ((hair[at + c] ?? 0) / 255) ** 2.2
      into[at + c] = toByte(base * light + 0.035 * sheen * band)
    }
    into[at + 3] = alpha
  }
}

function findDomeDepth(x: number, y: number): number {
  const down = Math.min(0.85, Math.abs(y + 0.2) / 1.75)
  const across = Math.abs(x) / 1.08
  // The depth of the head; beyond its sides it falls back, as for hair that hangs beside the head.
  if (across >= 1) return Math.max(-0.3, 1 - across)
  return 1.2 * (1 - across ** 2.5) ** 0.62 * Math.sqrt(1 - down * down)
}

/** Shifts every pixel sideways by its depth. If two land on one pixel, the nearer one is kept. */
async function turnLayer(
  layer: Layer,
  turn: number,
  findDepth: (x: number, y: number) => number,
  breathe: () => Promise<void>,
): Promise<Layer> {
  if (turn === 0) return layer
  const turned = new Uint8Array(layer.length)
  for (let row = 0; row < HEIGHT; row++) {
    turnRow(layer, turn, findDepth, row, turned)
    await breathe()
  }
  return turned
}

function turnRow(
  layer: Layer,
  turn: number,
  findDepth: (x: number, y: number) => number,
  row: number,
  into: Layer,
): void {
  const cos = Math.cos(turn)
  const sin = Math.sin(turn)
  const y = (row + 0.5 - CENTRE_Y) / UNIT
  const nearest = new Float32Array(WIDTH).fill(-Infinity)
  let before = Number.NaN
  for (let column = 0; column < WIDTH; column++) {
    const x = (column + 0.5 - CENTRE_X) / UNIT
    const z = findDepth(x, y)
    // The neck does not move: the axis of rotation is inside the head.
    const to = CENTRE_X + UNIT * (x * cos + (z - 0.55) * sin)
    const depth = z * cos - x * sin
    const from = before
    before = to
    if (column === 0 || to < from || to - from > 40) continue
    for (let p = Math.ceil(from - 0.5); p <= to - 0.5; p++) {
      if (p < 0 || p >= WIDTH || depth < (nearest[p] ?? 0)) continue
      const share = (p + 0.5 - from) / (to - from)
      const a = 4 * (row * WIDTH + column - 1)
      const at = 4 * (row * WIDTH + p)
      const alphaA = (layer[a + 3] ?? 0) * (1 - share)
      const alphaB = (layer[a + 7] ?? 0) * share
      const alpha = alphaA + alphaB
      if (alpha < 1) continue
      nearest[p] = depth
      for (let c = 0; c < 3; c++)
        into[at + c] = ((layer[a + c] ?? 0) * alphaA + (layer[a + 4 + c] ?? 0) * alphaB) / alpha
      into[at + 3] = alpha
    }
  }
}

function readDepth(depth: Float32Array, x: number, y: number): number {
  const px = Math.min(COLUMNS - 1.001, Math.max(0, (x * UNIT + CENTRE_X) / STEP - 0.5))
  const py = Math.min(ROWS - 1.001, Math.max(0, (y * UNIT + CENTRE_Y) / STEP - 0.5))
  const left = Math.floor(px)
  const top = Math.floor(py)
  const at = top * COLUMNS + left
  const [fx, fy] = [px - left, py - top]
  const upper = (depth[at] ?? 0) * (1 - fx) + (depth[at + 1] ?? 0) * fx
  const lower = (depth[at + COLUMNS] ?? 0) * (1 - fx) + (depth[at + COLUMNS + 1] ?? 0) * fx
  return upper * (1 - fy) + lower * fy
}

/** Blurs with three box filters in each direction. */
function blur(values: Float32Array, radius: number): Float32Array {
  let now = values
  for (let pass = 0; pass < 2; pass++) {
    now = blurLines(now, radius, ROWS, COLUMNS, COLUMNS, 1)
    now = blurLines(now, radius, COLUMNS, ROWS, 1, COLUMNS)
  }
  return now
}

function blurLines(
  from: Float32Array,
  radius: number,
  lines: number,
  count: number,
  line: number,
  step: number,
): Float32Array {
  const to = new Float32Array(from.length)
  for (let l = 0; l < lines; l++) {
    let sum = 0
    for (let i = -radius; i <= radius; i++) sum += from[l * line + Math.min(count - 1, Math.max(0, i)) * step] ?? 0
    for (let i = 0; i < count; i++) {
      to[l * line + i * step] = sum / (2 * radius + 1)
      sum += from[l * line + Math.min(count - 1, i + radius + 1) * step] ?? 0
      sum -= from[l * line + Math.max(0, i - radius) * step] ?? 0
    }
  }
  return to
}

function normalise(v: readonly [number, number, number]): readonly number[] {
  const length = Math.hypot(...v)
  return v.map((part) => part / length)
}

/** Converts linear light to a byte, and compresses highlights instead of clipping them. */
function toByte(linear: number): number {
  const soft = linear > 0.7 ? 0.7 + 0.3 * (1 - Math.exp(-(linear - 0.7) / 0.3)) : linear
  return Math.round(255 * Math.max(0, soft) ** (1 / 2.2))
}
