import { readFile } from 'node:fs/promises'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import { drawPortrait, PORTRAIT_NAMES as DRAWN_NAMES } from '../tools/draw-portrait.ts'
import { PORTRAIT_NAMES, readPortrait } from '../src/portraits.ts'

const pixels = async (jpeg: Uint8Array) => sharp(jpeg).raw().toBuffer()

test('the portraits are exactly those of the generator', () => {
  expect([...PORTRAIT_NAMES].toSorted()).toEqual([...DRAWN_NAMES].toSorted())
})

test.each(PORTRAIT_NAMES)('the portrait %s is equal to what the generator draws', async (name) => {
  const [stored, drawn] = await Promise.all([pixels(await readPortrait(name)), pixels(await drawPortrait(name))])
  expect(drawn.length).toBe(stored.length)
  let sum = 0
  for (const [at, value] of stored.entries()) sum += Math.abs(value - (drawn[at] ?? 0))
  // Of 255. Versions of the SVG renderer differ only in the last bits of edges.
  expect(sum / stored.length).toBeLessThan(1)
})

test('a portrait is a JPEG of 640 x 800 without metadata', async () => {
  for (const name of PORTRAIT_NAMES) {
    const { format, width, height, exif, xmp } = await sharp(
      await readFile(`packages/swapface/portraits/${name}.jpg`),
    ).metadata()
    expect({ format, width, height, exif, xmp }).toEqual({
      format: 'jpeg',
      width: 640,
      height: 800,
      exif: undefined,
      xmp: undefined,
    })
  }
})

test('the generator refuses an unknown name', async () => {
  await expect(drawPortrait('unknown')).rejects.toThrow(TypeError)
})
