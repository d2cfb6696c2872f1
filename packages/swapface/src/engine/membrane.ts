/**
 * Membrane interpolation (Laplace's equation) of the remaining difference between donor and target along the border of
 * the mask, as in seamless cloning. At the border both then have the same colour; inside, only a slow shift is added.
 * Only bare skin constrains the membrane, so that hair at the border is not smeared inward.
 */
import { growPlane } from './blur.ts'
import { createPlane, type FloatPicture, type Plane } from './picture.ts'

const LIMIT = 30
const SWEEPS = 12
const OVER_RELAXATION = 1.7

/** Returns the offsets to add to the donor: one plane each for R, G and B. */
export function solveMembrane(target: FloatPicture, donor: FloatPicture, holds: Plane): readonly Plane[] {
  return [0, 1, 2].map((channel) => {
    const difference = createPlane(holds.width, holds.height)
    readDifference(target.rgb, donor.rgb, channel, holds.values, difference.values)
    // The membrane is smooth: half the size is enough, at a quarter of the work.
    const { film, holds: coarseHolds } = halve(difference, holds)
    fillFilm(film, coarseHolds)
    for (let sweep = 0; sweep < SWEEPS; sweep++) relax(film, coarseHolds.values)
    return growPlane(film, 2, holds.width, holds.height)
  })
}

function readDifference(
  target: Float32Array,
  donor: Float32Array,
  channel: number,
  holds: Float32Array,
  into: Float32Array,
): void {
  for (let i = 0; i < into.length; i++) {
    if ((holds[i] ?? 0) === 0) continue
    const difference = (target[3 * i + channel] ?? 0) - (donor[3 * i + channel] ?? 0)
    into[i] = Math.min(LIMIT, Math.max(-LIMIT, difference))
  }
}

/** Fills the free pixels with an initial guess, coarse to fine; relaxation alone would need hundreds of sweeps. */
function fillFilm(film: Plane, holds: Plane): void {
  if (film.width <= 1 && film.height <= 1) return
  const { film: coarse, holds: coarseHolds } = halve(film, holds)
  fillFilm(coarse, coarseHolds)
  for (let y = 0; y < film.height; y++) {
    for (let x = 0; x < film.width; x++) {
      const to = y * film.width + x
      if ((holds.values[to] ?? 0) === 0) film.values[to] = coarse.values[(y >> 1) * coarse.width + (x >> 1)] ?? 0
    }
  }
}

/** Averages the held pixels of each 2 x 2 block, and returns their weights. */
function halve(film: Plane, holds: Plane): { film: Plane; holds: Plane } {
  const width = Math.ceil(film.width / 2)
  const coarse = createPlane(width, Math.ceil(film.height / 2))
  const weight = createPlane(coarse.width, coarse.height)
  for (let y = 0; y < film.height; y++) {
    for (let x = 0; x < film.width; x++) {
      const from = y * film.width + x
      const w = holds.values[from] ?? 0
      if (w === 0) continue
      const to = (y >> 1) * width + (x >> 1)
      coarse.values[to] = (coarse.values[to] ?? 0) + w * (film.values[from] ?? 0)
      weight.values[to] = (weight.values[to] ?? 0) + w
    }
  }
  for (let i = 0; i < weight.values.length; i++) {
    const w = weight.values[i] ?? 0
    if (w > 0) coarse.values[i] = (coarse.values[i] ?? 0) / w
  }
  return { film: coarse, holds: weight }
}

function relax(film: Plane, holds: Float32Array): void {
  const { width, height, values } = film
  for (let y = 0; y < height; y++) {
    const up = y > 0 ? width : 0
    const down = y < height - 1 ? width : 0
    for (let x = 0; x < width; x++) {
      const at = y * width + x
      if ((holds[at] ?? 0) > 0) continue
      const value = values[at] ?? 0
      const left = x > 0 ? (values[at - 1] ?? 0) : value
      const right = x < width - 1 ? (values[at + 1] ?? 0) : value
      const mean = ((values[at - up] ?? 0) + (values[at + down] ?? 0) + left + right) / 4
      values[at] = value + OVER_RELAXATION * (mean - value)
    }
  }
}
