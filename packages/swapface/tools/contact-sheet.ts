/**
 * Swaps pairs of faces, draws template, face and result side by side on one sheet, and prints a table of likeness.
 *
 *   npx tsx packages/swapface/tools/contact-sheet.ts                        the portraits: docs/contact-sheet.jpg, docs/swap.jpg
 *   npx tsx packages/swapface/tools/contact-sheet.ts <folder> <sheet.jpg>   each picture of a folder with the next one's face
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

import sharp from 'sharp'

import { alignShape, FACE_OVAL } from '../src/engine/pose.ts'
import { decodeImage } from '../src/engine/decode.ts'
import { MESH_UV } from '../src/engine/mesh-tables.ts'
import { drawPolygon } from '../src/engine/mask.ts'
import type { FaceMesh } from '../src/engine/mesh.ts'
import type { Picture } from '../src/engine/picture.ts'
import { createPyramid } from '../src/engine/pyramid.ts'
import { createSwapper, findFaces, type Swapper } from '../src/engine/swapper.ts'
import { readPortrait } from '../src/portraits.ts'

interface Pair {
  readonly name: string
  readonly target: Uint8Array
  readonly donor: Uint8Array
}

interface Swapped extends Pair {
  readonly result: Uint8Array
}

const PORTRAIT_PAIRS = [
  ['kofi', 'ada'],
  ['ada', 'kofi'],
  ['nora', 'zola'],
  ['zola', 'hugo'],
  ['mei', 'omar'],
  ['leila', 'mei'],
  ['hugo', 'omar'],
  ['omar', 'leila'],
  ['leila', 'zola'],
  ['nora', 'hugo'],
] as const
const MAX_PIXELS = 50e6
const TILE = { width: 248, height: 310 }
const PAIRS_A_ROW = 2

const [folder, output] = process.argv.slice(2)
const pairs = folder === undefined ? await listPortraitPairs() : await listFolderPairs(folder)
const swapper = await createSwapper({ maxPixels: MAX_PIXELS, faces: 'largest' })

console.log('| template ← face | likeness to the face | likeness to the template | outside the face |')
console.log('|---|---|---|---|')
const swapped: Swapped[] = []
for (const pair of pairs) {
  const { image } = await swapper.swap(pair.target, pair.donor)
  swapped.push({ ...pair, result: image })
  console.log(await describe({ ...pair, result: image }))
}
await writeSheet(swapped, output ?? 'docs/contact-sheet.jpg')
const [first] = swapped
if (folder === undefined && first !== undefined) await writeBanner(first, 'docs/swap.jpg')

async function listPortraitPairs(): Promise<Pair[]> {
  const list: Pair[] = []
  for (const [target, donor] of PORTRAIT_PAIRS) {
    list.push({
      name: `${target} ← ${donor}`,
      target: await readPortrait(target),
      donor: await readPortrait(donor),
    })
  }
  return list
}

async function listFolderPairs(path: string): Promise<Pair[]> {
  const names = (await readdir(path)).filter((name) => /\.(jpe?g|png|webp)$/i.test(name)).toSorted()
  return Promise.all(
    names.map(async (name, i) => {
      const other = names[(i + 1) % names.length] ?? name
      return {
        name: `${name} ← ${other}`,
        target: await readFile(join(path, name)),
        donor: await readFile(join(path, other)),
      }
    }),
  )
}

/** Returns one row of the table. Likeness compares the landmarks only, not colour and hair. */
async function describe({ name, target, donor, result }: Swapped): Promise<string> {
  const before = await readFace(swapper, target)
  const wanted = await readFace(swapper, donor)
  const after = await readFace(swapper, result)
  const apart = findDistance(before.mesh, wanted.mesh)
  const percent = (distance: number): string => `${(100 * (1 - distance / Math.max(apart, 1e-6))).toFixed(0)} %`
  const toDonor = percent(findDistance(after.mesh, wanted.mesh))
  const toTarget = percent(findDistance(after.mesh, before.mesh))
  const outside = findPsnrOutside(before.picture, after.picture, before.mesh)
  return `| ${name} | ${toDonor} | ${toTarget} | ${outside.toFixed(1)} dB |`
}

async function readFace({ models }: Swapper, bytes: Uint8Array): Promise<{ picture: Picture; mesh: FaceMesh }> {
  const { picture } = await decodeImage(bytes, { name: 'target', maxPixels: MAX_PIXELS })
  const [mesh] = findFaces(models, createPyramid(picture), 'target')
  if (mesh === undefined) throw new TypeError('No face was found in a swapped picture.')
  return { picture, mesh }
}

/** Returns the root mean square distance between the aligned features of two faces, relative to the face's size. */
function findDistance(from: FaceMesh, to: FaceMesh): number {
  const [a, b] = [pickFeatures(from.points), pickFeatures(to.points)]
  const laid = alignShape(a, b)
  let sum = 0
  for (let i = 0; i < laid.length; i++) {
    // Without z, the least accurate coordinate of the mesh.
    if (i % 3 < 2) sum += ((laid[i] ?? 0) - (b[i] ?? 0)) ** 2
  }
  return Math.sqrt(sum / (laid.length / 3)) / to.size
}

/** Returns the points of eyes, brows, nose and mouth, without the outline, which stays the template's. */
function pickFeatures(points: Float32Array): Float32Array {
  const picked: number[] = []
  for (let i = 0; i < points.length / 3; i++) {
    const [u = 0, v = 0] = MESH_UV.subarray(2 * i, 2 * i + 2)
    if (Math.hypot((u - 0.5) / 0.32, (v - 0.52) / 0.27) < 1) picked.push(...points.subarray(3 * i, 3 * i + 3))
  }
  return Float32Array.from(picked)
}

/** Returns the PSNR of the pixels outside the template's face. Only JPEG compression changes these pixels. */
function findPsnrOutside(before: Picture, after: Picture, mesh: FaceMesh): number {
  const inside = drawPolygon(mesh.points, FACE_OVAL, before.width, before.height)
  let sum = 0
  let count = 0
  for (let i = 0; i < inside.values.length; i++) {
    if ((inside.values[i] ?? 0) > 0) continue
    for (let p = 3 * i; p < 3 * i + 3; p++) sum += ((before.rgb[p] ?? 0) - (after.rgb[p] ?? 0)) ** 2
    count += 3
  }
  return 10 * Math.log10(255 ** 2 / Math.max(1e-9, sum / count))
}

async function writeSheet(list: readonly Swapped[], path: string): Promise<void> {
  const tiles = await Promise.all(
    list.map(async ({ target, donor, result }, i) => {
      const left = (i % PAIRS_A_ROW) * (TILE.width * 3 + 16)
      const top = Math.floor(i / PAIRS_A_ROW) * (TILE.height + 10)
      const images = await Promise.all([target, donor, result].map((bytes) => toTile(bytes, TILE.width, TILE.height)))
      return images.map((input, column) => ({ input, left: left + column * TILE.width, top }))
    }),
  )
  const width = PAIRS_A_ROW * (TILE.width * 3 + 16) - 16
  const height = Math.ceil(list.length / PAIRS_A_ROW) * (TILE.height + 10) - 10
  await sharp({ create: { width, height, channels: 3, background: '#ffffff' } })
    .composite(tiles.flat())
    .jpeg({ quality: 84 })
    .toFile(path)
}

async function writeBanner({ target, donor, result }: Swapped, path: string): Promise<void> {
  const images = await Promise.all([target, donor, result].map((bytes) => toTile(bytes, 396, 495)))
  await sharp({ create: { width: 1200, height: 495, channels: 3, background: '#ffffff' } })
    .composite(images.map((input, i) => ({ input, left: i * 402, top: 0 })))
    .jpeg({ quality: 88 })
    .toFile(path)
}

async function toTile(bytes: Uint8Array, width: number, height: number): Promise<Buffer> {
  return sharp(bytes).autoOrient().resize(width, height, { fit: 'cover', position: 'top' }).png().toBuffer()
}
