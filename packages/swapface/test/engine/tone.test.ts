import { describe, expect, it } from 'vitest'

import { toLightness, toTone, writeRgb, writeTone } from '../../src/engine/colour.ts'
import { createFloatPicture, createPlane, type FloatPicture } from '../../src/engine/picture.ts'
import { findSkin, fitSkin } from '../../src/engine/skin.ts'
import { addFilm, addLight, applyTone, createLightField, planToneShift } from '../../src/engine/tone.ts'

function fill(
  width: number,
  height: number,
  colour: (x: number, y: number) => readonly [number, number, number],
): FloatPicture {
  const picture = createFloatPicture(width, height)
  for (let i = 0; i < width * height; i++) picture.rgb.set(colour(i % width, Math.floor(i / width)), 3 * i)
  return picture
}

/** Slightly uneven skin. */
const skin =
  (r: number, g: number, b: number) =>
  (x: number, y: number): readonly [number, number, number] => {
    const uneven = 1 + 0.1 * Math.sin(x * 1.7 + y * 2.3)
    return [r * uneven, g * uneven, b * uneven]
  }

const whole = (size: number) => {
  const plane = createPlane(size, size)
  plane.values.fill(1)
  return plane
}

describe('the tone space', () => {
  it('converts every colour to a tone and back unchanged', () => {
    const tone = new Float32Array(3)
    const rgb = new Float32Array(3)
    const colours: readonly (readonly [number, number, number])[] = [
      [0, 0, 0],
      [255, 255, 255],
      [200, 30, 90],
      [12, 8, 5],
      [231, 190, 165],
      [20, 200, 250],
    ]
    for (const colour of colours) {
      writeTone(colour[0], colour[1], colour[2], tone, 0)
      writeRgb(tone[0] ?? 0, tone[1] ?? 0, tone[2] ?? 0, rgb, 0)
      colour.forEach((value, c) => expect(Math.abs((rgb[c] ?? 0) - value)).toBeLessThan(1))
    }
  })

  it('has no chroma for greys, and CIELAB’s lightness', () => {
    const tone = new Float32Array(3)
    writeTone(119, 119, 119, tone, 0)
    expect(Math.abs(tone[1] ?? 9)).toBeLessThan(0.3)
    expect(Math.abs(tone[2] ?? 9)).toBeLessThan(0.3)
    expect(toLightness(tone[0] ?? 0)).toBeCloseTo(50, 0)
  })
})

describe('the skin model', () => {
  it('recognises skin in shade, but neither hair nor cloth', () => {
    const picture = fill(40, 40, (x, y) =>
      x < 30 ? skin(200, 150, 125)(x, y) : y < 20 ? [150, 110, 91] : y < 30 ? [30, 22, 18] : [40, 120, 130],
    )
    const tone = toTone(picture)
    const seeds = createPlane(40, 40)
    for (let y = 0; y < 40; y++) seeds.values.fill(1, y * 40, y * 40 + 20)
    const found = findSkin(tone, fitSkin(tone, seeds), 40, 40)
    expect(found.values[10 * 40 + 10]).toBeGreaterThan(0.95)
    expect(found.values[10 * 40 + 35]).toBeGreaterThan(0.6)
    expect(found.values[25 * 40 + 35]).toBeLessThan(0.2)
    expect(found.values[35 * 40 + 35]).toBeLessThan(0.05)
  })

  it('ignores a lock of hair among its seeds', () => {
    const picture = fill(30, 30, (x, y) => (x < 3 ? [20, 15, 12] : skin(210, 165, 140)(x, y)))
    const tone = toTone(picture)
    const clean = new Float32Array(3)
    writeTone(210, 165, 140, clean, 0)
    expect(Math.abs(fitSkin(tone, whole(30)).l - (clean[0] ?? 0))).toBeLessThan(0.1)
  })
})

describe('applyTone', () => {
  it('shifts the donor’s skin to the target’s tone, dark or bright', () => {
    for (const [from, to] of [
      [skin(215, 170, 145), skin(95, 62, 46)],
      [skin(95, 62, 46), skin(215, 170, 145)],
    ] as const) {
      const donor = fill(32, 32, from)
      const target = fill(32, 32, to)
      const shift = planToneShift(fitSkin(toTone(donor), whole(32)), fitSkin(toTone(target), whole(32)), false)
      applyTone(donor, whole(32), shift, createLightField(createPlane(32, 32)), 1)
      const [r = 0, g = 0, b = 0] = meanColour(donor)
      const [tr = 0, tg = 0, tb = 0] = meanColour(target)
      expect(Math.max(Math.abs(r - tr), Math.abs(g - tg), Math.abs(b - tb))).toBeLessThan(8)
    }
  })

  it('keeps uncovered pixels, and removes the colour for a grey target', () => {
    const donor = fill(8, 8, skin(200, 150, 120))
    const cover = createPlane(8, 8)
    cover.values[0] = 1
    const before = donor.rgb.slice()
    const model = fitSkin(toTone(donor), whole(8))
    applyTone(donor, cover, planToneShift(model, model, true), createLightField(createPlane(8, 8)), 1)
    expect(donor.rgb.subarray(3)).toEqual(before.subarray(3))
    expect(Math.abs((donor.rgb[0] ?? 0) - (donor.rgb[2] ?? 0))).toBeLessThan(2)
  })

  it('shifts eyes and teeth less than skin', () => {
    const donor = fill(8, 8, () => [240, 238, 230])
    const held = fill(8, 8, () => [240, 238, 230])
    const bright = fitSkin(toTone(fill(8, 8, skin(220, 175, 150))), whole(8))
    const dark = fitSkin(toTone(fill(8, 8, skin(90, 60, 45))), whole(8))
    const hold = whole(8)
    hold.values.fill(0.65)
    applyTone(donor, whole(8), planToneShift(bright, dark, false), createLightField(createPlane(8, 8)), 1)
    applyTone(held, whole(8), planToneShift(bright, dark, false), createLightField(hold), 1)
    expect(held.rgb[0]).toBeGreaterThan((donor.rgb[0] ?? 0) + 25)
  })
})

describe('the light', () => {
  it('of a target lit from one side is transferred to an evenly lit donor', () => {
    const target = fill(48, 48, (x) => [120 + 2 * x, 90 + 1.5 * x, 75 + 1.2 * x])
    const donor = fill(48, 48, skin(168, 126, 104))
    const field = createLightField(createPlane(48, 48))
    addLight(field, toTone(target), toTone(donor), whole(48), 4)
    const model = fitSkin(toTone(donor), whole(48))
    applyTone(donor, whole(48), planToneShift(model, model, false), field, 1)
    expect((donor.rgb[3 * (24 * 48 + 44)] ?? 0) - (donor.rgb[3 * (24 * 48 + 3)] ?? 0)).toBeGreaterThan(35)
  })

  it('includes the membrane, which is added last', () => {
    const donor = fill(4, 4, () => [100, 100, 100])
    const field = createLightField(createPlane(4, 4))
    const ten = createPlane(4, 4)
    ten.values.fill(10)
    addFilm(field, [ten, createPlane(4, 4), createPlane(4, 4)])
    const model = fitSkin(toTone(donor), whole(4))
    applyTone(donor, whole(4), planToneShift(model, model, false), field, 1)
    expect((donor.rgb[0] ?? 0) - (donor.rgb[1] ?? 0)).toBeCloseTo(10, 0)
  })
})

function meanColour({ rgb }: FloatPicture): number[] {
  const sums = [0, 0, 0]
  rgb.forEach((value, i) => {
    sums[i % 3] = (sums[i % 3] ?? 0) + (3 * value) / rgb.length
  })
  return sums
}
