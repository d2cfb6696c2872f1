/**
 * Transfers the target's skin tone and light to the donor. First the skin means are matched: light by a factor, chroma
 * by a shift that fades in the dark, so that dark brows keep their hue. Then the slow change of the target's light
 * across the face is added. Measurements use a small copy; the change is one pass over the full-size picture.
 */
import { blurPlane } from './blur.ts'
import { toLightness, writeRgb, writeTone } from './colour.ts'
import { createPlane, smoothstep, type FloatPicture, type Plane } from './picture.ts'
import type { SkinModel } from './skin.ts'

export interface ToneShift {
  readonly fromL: number
  readonly toL: number
  readonly gain: number
  readonly fromA: number
  readonly toA: number
  readonly gainA: number
  readonly fromB: number
  readonly toB: number
  readonly gainB: number
  /** CIELAB lightness of the donor's skin. */
  readonly lightness: number
  /** l above which highlights are compressed, so that a bright donor does not clip. */
  readonly kneeL: number
  /** 0 for a target without colour, else 1. */
  readonly colour: number
}

/** Values per pixel of the small copy. */
export const LIGHT_VALUES = 9

/**
 * Nine small fields in one array, LIGHT_VALUES per pixel: hold; the light's l, a, b; the donor's local mean of l; how
 * much of the deviation from that mean is removed, 0 to 1; and the final offsets of R, G and B.
 */
export interface LightField {
  readonly width: number
  readonly height: number
  readonly values: Float32Array
}

export function planToneShift(donor: SkinModel, target: SkinModel, targetIsGrey: boolean): ToneShift {
  const compare = (part: 'l' | 'a' | 'b'): number => target.measured[part] / donor.measured[part]
  return {
    fromL: donor.l,
    toL: target.l,
    gain: Math.min(1.2, Math.max(0.65, 1 + 0.6 * (compare('l') - 1))),
    gainA: Math.min(1, Math.max(0.5, compare('a'))),
    gainB: Math.min(1, Math.max(0.5, compare('b'))),
    fromA: donor.a,
    toA: target.a,
    fromB: donor.b,
    toB: target.b,
    lightness: donor.lightness,
    kneeL: target.l + 1.5 * target.spreadL,
    colour: targetIsGrey ? 0 : 1,
  }
}

/** Creates a light field that has only the hold values of features. */
export function createLightField(hold: Plane): LightField {
  const values = new Float32Array(hold.values.length * LIGHT_VALUES)
  for (let i = 0; i < hold.values.length; i++) values[i * LIGHT_VALUES] = hold.values[i] ?? 0
  return { width: hold.width, height: hold.height, values }
}

/**
 * Adds the target's light to the field: the low-frequency part of the difference between the target and the
 * tone-shifted donor, over skin that both show.
 */
export function addLight(
  field: LightField,
  target: Float32Array,
  donor: Float32Array,
  weight: Plane,
  sigma: number,
): void {
  const spread = { ...weight, values: weight.values.slice() }
  blurPlane(spread, sigma)
  const limits = [0.9, 10, 12]
  limits.forEach((limit, channel) => {
    const difference = createPlane(weight.width, weight.height)
    subtract(target, donor, channel, weight.values, difference.values)
    blurPlane(difference, sigma)
    putLight(difference.values, spread.values, channel, limit, field.values)
  })
}

/** Adds the reduction of the donor's wrinkles and spots, which age or hard light cause, if the target has far fewer. */
export function addPress(
  field: LightField,
  target: Float32Array,
  donor: Float32Array,
  targetSkin: Plane,
  donorSkin: Plane,
  sigma: number,
): void {
  const around = findLocalMean(donor, donorSkin, sigma)
  const own = measureRelief(donor, around, donorSkin)
  const wanted = measureRelief(target, findLocalMean(target, targetSkin, sigma), targetSkin)
  const press = 1 - Math.min(1, Math.max(0.5, (1.2 * wanted) / Math.max(1e-4, own)))
  for (let i = 0; i < around.values.length; i++) {
    field.values[i * LIGHT_VALUES + 4] = around.values[i] ?? 0
    field.values[i * LIGHT_VALUES + 5] = press * (donorSkin.values[i] ?? 0)
  }
}

/** Adds the membrane to the field: one plane each for R, G and B. */
export function addFilm(field: LightField, film: readonly Plane[]): void {
  film.forEach((plane, channel) => {
    for (let i = 0; i < plane.values.length; i++) {
      field.values[i * LIGHT_VALUES + 6 + channel] = plane.values[i] ?? 0
    }
  })
}

function findLocalMean(tone: Float32Array, skin: Plane, sigma: number): Plane {
  const mean = createPlane(skin.width, skin.height)
  const weight = { ...skin, values: skin.values.slice() }
  for (let i = 0; i < mean.values.length; i++) mean.values[i] = (tone[3 * i] ?? 0) * (skin.values[i] ?? 0)
  blurPlane(mean, sigma)
  blurPlane(weight, sigma)
  for (let i = 0; i < mean.values.length; i++) {
    const w = weight.values[i] ?? 0
    mean.values[i] = w > 0.01 ? (mean.values[i] ?? 0) / w : (tone[3 * i] ?? 0)
  }
  return mean
}

/** Returns the root mean square deviation of l from its local mean, over skin. */
function measureRelief(tone: Float32Array, around: Plane, skin: Plane): number {
  let sum = 0
  let total = 0
  for (let i = 0; i < around.values.length; i++) {
    const w = skin.values[i] ?? 0
    const d = (tone[3 * i] ?? 0) - (around.values[i] ?? 0)
    sum += w * d * d
    total += w
  }
  return total > 0 ? Math.sqrt(sum / total) : 0
}

function subtract(a: Float32Array, b: Float32Array, channel: number, weight: Float32Array, into: Float32Array): void {
  for (let i = 0; i < into.length; i++) {
    const at = 3 * i + channel
    into[i] = ((a[at] ?? 0) - (b[at] ?? 0)) * (weight[i] ?? 0)
  }
}

function putLight(
  difference: Float32Array,
  spread: Float32Array,
  channel: number,
  limit: number,
  field: Float32Array,
): void {
  for (let i = 0; i < difference.length; i++) {
    const w = spread[i] ?? 0
    // The minimum lets the difference fade out far from skin instead of amplifying it.
    const mean = (difference[i] ?? 0) / Math.max(w, 0.02)
    field[i * LIGHT_VALUES + 1 + channel] = 0.75 * Math.min(limit, Math.max(-limit, mean))
  }
}

/** Applies shift and field to the covered pixels in place. Each field value stands for `factor` x `factor` pixels. */
export function applyTone(
  picture: FloatPicture,
  cover: Plane,
  shift: ToneShift,
  field: LightField,
  factor: number,
): void {
  const light = new Float32Array(field.width * LIGHT_VALUES)
  for (let row = 0; row < picture.height; row++) toneRow(picture, cover.values, shift, field, factor, row, light)
}

function toneRow(
  picture: FloatPicture,
  cover: Float32Array,
  shift: ToneShift,
  field: LightField,
  factor: number,
  row: number,
  light: Float32Array,
): void {
  const { rgb, width } = picture
  const tone = new Float32Array(3)
  readLightRow(field, (row + 0.5) / factor - 0.5, light)
  for (let column = 0; column < width; column++) {
    const pixel = row * width + column
    if ((cover[pixel] ?? 0) === 0) continue
    const x = Math.min(field.width - 1, Math.max(0, (column + 0.5) / factor - 0.5))
    const left = Math.floor(x)
    const fx = x - left
    const at = left * LIGHT_VALUES
    const next = left < field.width - 1 ? LIGHT_VALUES : 0
    const p = 3 * pixel
    writeTone(rgb[p] ?? 0, rgb[p + 1] ?? 0, rgb[p + 2] ?? 0, tone, 0)
    const follow = 1 - mix(light, at, next, fx)
    const around = mix(light, at + 4, next, fx)
    const press = mix(light, at + 5, next, fx)
    const l0 = (tone[0] ?? 0) + press * (around - (tone[0] ?? 0))
    // Dark brows and beards must not be brightened with the skin around them.
    const lift = shift.toL > shift.fromL ? 0.35 + 0.65 * smoothstep(-2, -0.7, l0 - shift.fromL) : 1
    // Dark pixels have little chroma, so their shift is proportional to their lightness.
    const shade = Math.min(1.15, Math.max(0, toLightness(l0) / shift.lightness))
    const moved = shift.toL + (l0 - shift.fromL) * shift.gain
    let l = l0 + (moved - l0 + mix(light, at + 1, next, fx)) * follow * lift
    if (l > shift.kneeL) l = shift.kneeL + (l - shift.kneeL) * 0.5
    const a0 = tone[1] ?? 0
    const b0 = tone[2] ?? 0
    const movedA = shift.toA * shade + (a0 - shift.fromA * shade) * shift.gainA
    const movedB = shift.toB * shade + (b0 - shift.fromB * shade) * shift.gainB
    const a = a0 + (movedA - a0 + mix(light, at + 2, next, fx) * shade) * follow
    const b = b0 + (movedB - b0 + mix(light, at + 3, next, fx) * shade) * follow
    writeRgb(l, a * shift.colour, b * shift.colour, rgb, p)
    rgb[p] = (rgb[p] ?? 0) + mix(light, at + 6, next, fx)
    rgb[p + 1] = (rgb[p + 1] ?? 0) + mix(light, at + 7, next, fx)
    rgb[p + 2] = (rgb[p + 2] ?? 0) + mix(light, at + 8, next, fx)
  }
}

/** Interpolates the field between two rows. */
function readLightRow(field: LightField, at: number, into: Float32Array): void {
  const stride = field.width * LIGHT_VALUES
  const y = Math.min(field.height - 1, Math.max(0, at))
  const top = Math.floor(y)
  const fy = y - top
  const upper = top * stride
  const lower = Math.min(field.height - 1, top + 1) * stride
  const { values } = field
  for (let i = 0; i < stride; i++) into[i] = (values[upper + i] ?? 0) * (1 - fy) + (values[lower + i] ?? 0) * fy
}

function mix(light: Float32Array, at: number, next: number, share: number): number {
  return (light[at] ?? 0) * (1 - share) + (light[at + next] ?? 0) * share
}
