/**
 * Finds bare skin in a face. A Gaussian model is fitted to the cheeks and the nose, which are skin in almost every
 * picture, and every pixel is compared with it: hair, hats, gloves, frames and beards differ. The model describes one
 * face in one light, not skin in general, so it works for any skin colour.
 */
import { toLightness } from './colour.ts'
import type { Plane } from './picture.ts'
import { createPlane } from './picture.ts'

export interface SkinModel {
  readonly l: number
  readonly a: number
  readonly b: number
  readonly spreadL: number
  readonly spreadA: number
  readonly spreadB: number
  /** The measured spreads. Those above have a minimum, without which very even skin would not match its own model. */
  readonly measured: { readonly l: number; readonly a: number; readonly b: number }
  /** CIELAB lightness of the mean. */
  readonly lightness: number
}

const SEED_POINTS = [50, 280, 205, 425, 101, 330, 36, 266, 187, 411, 4, 5, 195]

/** Draws the weights that the model is fitted with: soft discs on cheeks, nose and between the brows. */
export function drawSeeds(points: Float32Array, faceSize: number, width: number, height: number): Plane {
  const seeds = createPlane(width, height)
  for (const point of SEED_POINTS) drawDisc(seeds, points[3 * point] ?? 0, points[3 * point + 1] ?? 0, faceSize * 0.06)
  return seeds
}

function drawDisc(plane: Plane, x: number, y: number, radius: number): void {
  const reach = Math.max(1, radius)
  for (let row = Math.max(0, Math.floor(y - reach)); row < Math.min(plane.height, y + reach); row++) {
    for (let column = Math.max(0, Math.floor(x - reach)); column < Math.min(plane.width, x + reach); column++) {
      const d = Math.hypot(column + 0.5 - x, row + 0.5 - y) / reach
      if (d >= 1) continue
      const at = row * plane.width + column
      plane.values[at] = Math.max(plane.values[at] ?? 0, 1 - d * d)
    }
  }
}

/** @param tone l, a, b interleaved. @param weights 0 for pixels without a colour. */
export function fitSkin(tone: Float32Array, weights: Plane): SkinModel {
  // Starts without the darkest and brightest pixels: a lock of hair on a cheek would bias the mean permanently.
  let model = measure(tone, keepMiddle(tone, weights.values), null)
  for (let round = 0; round < 3; round++) model = measure(tone, weights.values, model)
  return model
}

function keepMiddle(tone: Float32Array, weights: Float32Array): Float32Array {
  const seen: number[] = []
  for (let i = 0; i < weights.length; i++) if ((weights[i] ?? 0) > 0) seen.push(tone[3 * i] ?? 0)
  seen.sort((a, b) => a - b)
  const low = seen[Math.floor(seen.length * 0.3)] ?? 0
  const high = seen[Math.floor(seen.length * 0.95)] ?? 0
  return weights.map((weight, i) => {
    const l = tone[3 * i] ?? 0
    return l >= low && l <= high ? weight : 0
  })
}

function measure(tone: Float32Array, weights: Float32Array, trimBy: SkinModel | null): SkinModel {
  const sums = new Float64Array(7)
  for (let i = 0; i < weights.length; i++) {
    const base = weights[i] ?? 0
    if (base <= 0) continue
    const l = tone[3 * i] ?? 0
    const a = tone[3 * i + 1] ?? 0
    const b = tone[3 * i + 2] ?? 0
    const w = trimBy !== null && findOddness(l, a, b, trimBy) > 5 ? 0 : base
    addMoments(sums, w, l, a, b)
  }
  const total = Math.max(1e-6, sums[0] ?? 0)
  const mean = (index: number): number => (sums[index] ?? 0) / total
  const spread = (index: number, least: number): number =>
    Math.max(least, Math.sqrt(Math.max(0, mean(index + 3) - mean(index) ** 2)))
  return {
    l: mean(1),
    a: mean(2),
    b: mean(3),
    spreadL: spread(1, 0.22),
    spreadA: spread(2, 2.6),
    spreadB: spread(3, 3),
    measured: { l: spread(1, 0.01), a: spread(2, 0.3), b: spread(3, 0.3) },
    lightness: Math.max(4, toLightness(mean(1))),
  }
}

function addMoments(sums: Float64Array, w: number, l: number, a: number, b: number): void {
  sums[0] = (sums[0] ?? 0) + w
  sums[1] = (sums[1] ?? 0) + w * l
  sums[2] = (sums[2] ?? 0) + w * a
  sums[3] = (sums[3] ?? 0) + w * b
  sums[4] = (sums[4] ?? 0) + w * l * l
  sums[5] = (sums[5] ?? 0) + w * a * a
  sums[6] = (sums[6] ?? 0) + w * b * b
}

/** Returns the squared distance from the model. Chroma is scaled with lightness, since shade reduces both. */
function findOddness(l: number, a: number, b: number, model: SkinModel): number {
  const shade = Math.min(1.2, Math.max(0.25, toLightness(l) / model.lightness))
  const dl = (l - model.l) / (model.spreadL * 2)
  const da = (a - model.a * shade) / model.spreadA
  const db = (b - model.b * shade) / model.spreadB
  return dl * dl + (da * da + db * db) / 2
}

/** Returns how well each pixel matches the model: 1 is skin, 0 is not. */
export function findSkin(tone: Float32Array, model: SkinModel, width: number, height: number): Plane {
  const skin = createPlane(width, height)
  const { values } = skin
  for (let i = 0; i < values.length; i++) {
    const oddness = findOddness(tone[3 * i] ?? 0, tone[3 * i + 1] ?? 0, tone[3 * i + 2] ?? 0, model)
    // Oddness is squared: a full match up to two spreads, none from 3.7 on.
    const t = Math.min(1, Math.max(0, (14 - oddness) / 10))
    values[i] = t * t * (3 - 2 * t)
  }
  return skin
}
