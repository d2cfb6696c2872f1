/**
 * Matches the donor's sharpness to the target's, so that the face does not look like it came from another camera.
 * Compared only where the donor covers the target completely: a hole would count as an edge.
 */
import type { FloatPicture, Plane } from './picture.ts'

/** Returns the root mean square difference from the four neighbours, where `weight` is at least one half. */
export function measureDetail(picture: FloatPicture, weight: Plane): number {
  let sum = 0
  let count = 0
  for (let row = 1; row < picture.height - 1; row++) {
    const energy = measureRow(picture, weight.values, row)
    sum += energy.sum
    count += energy.count
  }
  return count > 0 ? Math.sqrt(sum / count) : 0
}

function measureRow(picture: FloatPicture, weight: Float32Array, row: number): { sum: number; count: number } {
  const { rgb, width } = picture
  const stride = width * 3
  let sum = 0
  let count = 0
  for (let column = 1; column < width - 1; column++) {
    const pixel = row * width + column
    if ((weight[pixel] ?? 0) < 0.5) continue
    // Green approximates luminance, and is the sharpest channel of cameras.
    const p = 3 * pixel + 1
    const around = (rgb[p - 3] ?? 0) + (rgb[p + 3] ?? 0) + (rgb[p - stride] ?? 0) + (rgb[p + stride] ?? 0)
    const detail = (rgb[p] ?? 0) - around / 4
    sum += detail * detail
    count++
  }
  return { sum, count }
}

/**
 * Sharpens or smooths the donor in place.
 * @param ratio donor's detail / target's detail
 */
export function matchDetail(donor: FloatPicture, cover: Plane, ratio: number): void {
  if (ratio > 1.25) {
    // Each pass removes about a third of the finest detail.
    const rounds = Math.min(4, Math.round(Math.log(ratio / 1.1) / Math.log(1.5)))
    for (let round = 0; round < rounds; round++) filterDetail(donor, cover.values, -0.5)
  } else if (ratio < 0.85) {
    filterDetail(donor, cover.values, Math.min(0.8, 0.6 * (1 / Math.max(0.3, ratio) - 1)))
  }
}

/** Adds `amount` times the difference from the mean of the four neighbours. */
function filterDetail(picture: FloatPicture, cover: Float32Array, amount: number): void {
  const stride = picture.width * 3
  const { rgb } = picture
  // The filter runs in place, so the original values of this row and of the row above are kept.
  let above = rgb.slice(0, stride)
  let own = rgb.slice(stride, 2 * stride)
  for (let row = 1; row < picture.height - 1; row++) {
    own.set(rgb.subarray(row * stride, (row + 1) * stride))
    filterRow(above, own, rgb, picture.width, cover, row, amount)
    const done = above
    above = own
    own = done
  }
}

function filterRow(
  above: Float32Array,
  here: Float32Array,
  into: Float32Array,
  width: number,
  cover: Float32Array,
  row: number,
  amount: number,
): void {
  const stride = width * 3
  for (let column = 1; column < width - 1; column++) {
    const pixel = row * width + column
    const whole =
      (cover[pixel - 1] ?? 0) * (cover[pixel + 1] ?? 0) * (cover[pixel - width] ?? 0) * (cover[pixel + width] ?? 0)
    if ((cover[pixel] ?? 0) * whole === 0) continue
    for (let p = 3 * column; p < 3 * column + 3; p++) {
      const at = row * stride + p
      const own = here[p] ?? 0
      const around = (here[p - 3] ?? 0) + (here[p + 3] ?? 0) + (above[p] ?? 0) + (into[at + stride] ?? 0)
      into[at] = Math.min(255, Math.max(0, own + amount * (own - around / 4)))
    }
  }
}
