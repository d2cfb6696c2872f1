/**
 * Golden tests of whole swaps. `golden/` has small copies of results that a person has approved. A result may differ
 * from them only as much as other versions of the decoder or of the SVG renderer do. If a copy is missing, the test
 * writes it and fails: check the picture, then run again.
 */
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'

import { decodeImage } from '../../src/engine/decode.ts'
import { COMPOSITE_WITH_TRAINED_MEDIA } from '../../../../src/lib/image/synthetic-media.ts'
import { SOFTWARE_NAME } from '../../src/engine/encode.ts'
import { drawPolygon } from '../../src/engine/mask.ts'
import { fitMesh } from '../../src/engine/mesh.ts'
import type { Picture } from '../../src/engine/picture.ts'
import { FACE_OVAL } from '../../src/engine/pose.ts'
import { createPyramid } from '../../src/engine/pyramid.ts'
import { createSwapper, findFaces, type Swapper, type TargetFaces } from '../../src/engine/swapper.ts'
import { readPortrait } from '../../src/portraits.ts'

const GOLDEN = join(import.meta.dirname, 'golden')
const options = { maxPixels: 50e6, faces: 'largest' as TargetFaces }

let swapper: Swapper

beforeAll(async () => {
  swapper = await createSwapper(options)
})

async function read(bytes: Uint8Array): Promise<Picture> {
  return (await decodeImage(bytes, { name: 'target', maxPixels: 50e6 })).picture
}

/** Mean difference of two pictures' channels over a region of pixels, 0 to 255. */
function differ(a: Picture, b: Picture, isIn: (pixel: number) => boolean = () => true): number {
  let sum = 0
  let count = 0
  for (let i = 0; i < a.width * a.height; i++) {
    if (!isIn(i)) continue
    for (let p = 3 * i; p < 3 * i + 3; p++) sum += Math.abs((a.rgb[p] ?? 0) - (b.rgb[p] ?? 0))
    count += 3
  }
  return sum / Math.max(1, count)
}

function listInside(picture: Picture): (pixel: number) => boolean {
  const [mesh] = findFaces(swapper.models, createPyramid(picture), 'target')
  if (mesh === undefined) throw new TypeError('A portrait has a face.')
  const oval = drawPolygon(mesh.points, FACE_OVAL, picture.width, picture.height)
  return (pixel) => (oval.values[pixel] ?? 0) > 0
}

describe('a swap', () => {
  it.each([
    ['kofi', 'ada'],
    ['hugo', 'mei'],
  ] as const)('of %s with the face of %s matches the approved picture', async (target, donor) => {
    const { image } = await swapper.swap(await readPortrait(target), await readPortrait(donor))
    const small = await sharp(image).resize(240, 300).jpeg({ quality: 90 }).toBuffer()
    const path = join(GOLDEN, `${target}-${donor}.jpg`)
    if (!existsSync(path)) {
      await mkdir(GOLDEN, { recursive: true })
      await writeFile(path, small)
      throw new Error(`${path} was missing and has been written. Check the picture, then run again.`)
    }
    expect(differ(await read(small), await read(await sharp(path).toBuffer()))).toBeLessThan(2.5)
  })

  it('changes the face and nothing around it', async () => {
    const target = await sharp(await readPortrait('kofi'))
      .ensureAlpha(0.99)
      .png()
      .toBuffer()
    const before = await read(target)
    // The result of a transparent target is a PNG, which is lossless.
    const { image, contentType } = await swapper.swap(target, await readPortrait('ada'))
    expect(contentType).toBe('image/png')
    const after = await read(image)
    const isInside = listInside(before)
    expect(differ(before, after, (pixel) => !isInside(pixel))).toBe(0)
    expect(differ(before, after, isInside)).toBeGreaterThan(3)
  })

  it('with the target’s own face returns about the same picture', async () => {
    const portrait = await readPortrait('ada')
    const { image } = await swapper.swap(portrait, portrait)
    const before = await read(portrait)
    expect(differ(before, await read(image), listInside(before))).toBeLessThan(5)
  })

  it.each([90, 180, 270, 33])('handles a target rotated by %d degrees like an upright one', async (degrees) => {
    const [target, donor] = [await readPortrait('mei'), await readPortrait('ada')]
    const turned = await sharp(target).rotate(degrees, { background: '#806080' }).png().toBuffer()
    const { image } = await swapper.swap(turned, donor)
    const [mesh] = findFaces(swapper.models, createPyramid(await read(image)), 'target')
    const roll = ((mesh?.roll ?? 0) * 180) / Math.PI
    const off = Math.abs(((roll - degrees + 540) % 360) - 180)
    expect(off).toBeLessThan(12)
  })

  it('is marked as synthetic, and carries no metadata of its inputs', async () => {
    const target = await sharp(await readPortrait('mei'))
      .withExif({ IFD0: { Artist: 'someone', ImageDescription: 'private' }, IFD3: { GPSLatitudeRef: 'N' } })
      .jpeg()
      .toBuffer()
    const { image } = await swapper.swap(target, target)
    const text = Buffer.from(image).toString('latin1')
    expect(text).toContain(COMPOSITE_WITH_TRAINED_MEDIA)
    expect(text).toContain(SOFTWARE_NAME)
    expect(text).not.toContain('someone')
    expect(text).not.toContain('private')
  })

  it('keeps the target’s transparency', async () => {
    const target = await sharp(await readPortrait('mei'))
      .ensureAlpha()
      .composite([
        {
          input: Buffer.from('<svg width="640" height="800"><rect width="90" height="800" fill="#fff"/></svg>'),
          blend: 'dest-out',
        },
      ])
      .png()
      .toBuffer()
    const { image } = await swapper.swap(target, await readPortrait('ada'))
    const { data } = await sharp(image).extractChannel('alpha').raw().toBuffer({ resolveWithObject: true })
    expect([data[10], data[300]]).toEqual([0, 255])
  })

  it('replaces the largest of several faces, or all of them', async () => {
    const [left, right] = [await readPortrait('mei'), await readPortrait('kofi')]
    const group = await sharp({ create: { width: 1280, height: 800, channels: 3, background: '#777777' } })
      .composite([
        { input: Buffer.from(left), left: 0, top: 0 },
        { input: await sharp(right).resize(480).toBuffer(), left: 700, top: 100 },
      ])
      .png()
      .toBuffer()
    const donor = await readPortrait('ada')
    const before = await read(group)
    const isLeft = (pixel: number): boolean => pixel % 1280 < 640
    const largest = await read((await swapper.swap(group, donor)).image)
    expect(differ(before, largest, isLeft)).toBeGreaterThan(1)
    expect(differ(before, largest, (pixel) => !isLeft(pixel))).toBeLessThan(0.9)
    const every = await createSwapper({ ...options, faces: 'all' })
    const all = await read((await every.swap(group, donor)).image)
    expect(differ(before, all, (pixel) => !isLeft(pixel))).toBeGreaterThan(1)
  })

  it('leaves no tensors behind', async () => {
    const portrait = await readPortrait('mei')
    await swapper.swap(portrait, portrait)
    const tensors = swapper.models.countTensors()
    await swapper.swap(portrait, portrait)
    expect(swapper.models.countTensors()).toBe(tensors)
  })
})

describe('fitMesh', () => {
  it('returns null for a picture without a face, even if the detector reports one', async () => {
    const wall = createPyramid({ width: 200, height: 200, rgb: new Uint8Array(200 * 200 * 3).fill(90) })
    const face = { x: 100, y: 100, size: 90, roll: 0, score: 0.99, doubtful: false }
    expect(fitMesh(swapper.models, wall, face)).toBeNull()
  })
})
