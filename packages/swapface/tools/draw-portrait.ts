/**
 * Draws the project's portraits of people who do not exist, so that a first swap, the tests and the README need no real
 * face. The face is painted flat, then lit and rotated with a relief of the head. The layers, from back to front: wall,
 * hair behind the head, body, ears, face, hair in front, glasses, grain. The result is deterministic on one machine;
 * another version of the SVG renderer may differ in the last bits.
 */
import sharp from 'sharp'

import { createBreath } from './breath.ts'
import { lightFace, lightHair } from './light.ts'
import { paintFace } from './paint-face.ts'
import { paintHair } from './paint-hair.ts'
import { paintBody, paintEars, paintGlasses, paintWall } from './paint-stage.ts'
import { PEOPLE } from './people.ts'
import { HEIGHT, WIDTH, type Person } from './person.ts'
import { createRandom, drawBell } from './random.ts'

export const PORTRAIT_NAMES: readonly string[] = [...PEOPLE.keys()]

/**
 * Draws a portrait as a JPEG of 640 x 800. Takes about a second of CPU time, in steps of a few milliseconds.
 * @throws {TypeError} for a name that is not in PORTRAIT_NAMES
 */
export async function drawPortrait(name: string): Promise<Uint8Array> {
  const person = PEOPLE.get(name)
  if (person === undefined) throw new TypeError(`Unknown portrait. Use one of ${PORTRAIT_NAMES.join(', ')}.`)
  return drawPerson(person)
}

async function drawPerson(person: Person): Promise<Uint8Array> {
  const hair = paintHair(person)
  const albedo = await sharp(Buffer.from(paintFace(person)))
    .removeAlpha()
    .raw()
    .toBuffer()
  const face = await lightFace(person, albedo)
  const hairBack = await lightHair(person, await drawLayer(hair.back), hair.sheen * 0.4)
  const hairFront = await lightHair(person, await drawLayer(hair.front), hair.sheen)
  const head = await tilt(person, [
    hairBack,
    await drawLayer(paintEars(person)),
    face,
    hairFront,
    await drawLayer(paintGlasses(person)),
  ])
  const [back, ...front] = head
  const layers = [back, Buffer.from(paintBody(person)), ...front].flatMap((input) =>
    input === undefined ? [] : [{ input }],
  )
  const { data } = await sharp(Buffer.from(paintWall(person)))
    .composite(layers)
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })
  await addGrain(data, person.seed)
  return sharp(data, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
    .jpeg({ quality: 90, chromaSubsampling: '4:4:4' })
    .toBuffer()
}

async function drawLayer(svg: string): Promise<Uint8Array> {
  return sharp(Buffer.from(svg)).ensureAlpha().raw().toBuffer()
}

/** Tilts the layers of the head; each is a PNG of the picture's size. */
async function tilt(person: Person, layers: readonly Uint8Array[]): Promise<Buffer[]> {
  const turned: Buffer[] = []
  for (const layer of layers) {
    const flat = sharp(layer, { raw: { width: WIDTH, height: HEIGHT, channels: 4 } })
    const { data, info } = await flat
      .rotate((person.tilt * 180) / Math.PI, { background: { r: 0, g: 0, b: 0, alpha: 0 } })
      .raw()
      .toBuffer({ resolveWithObject: true })
    const left = Math.floor((info.width - WIDTH) / 2)
    const top = Math.floor((info.height - HEIGHT) / 2)
    turned.push(
      await sharp(data, { raw: { width: info.width, height: info.height, channels: 4 } })
        .extract({ left, top, width: WIDTH, height: HEIGHT })
        .png({ compressionLevel: 1 })
        .toBuffer(),
    )
  }
  return turned
}

/** Adds film grain, without which smooth skin looks like plastic. */
async function addGrain(rgb: Uint8Array, seed: number): Promise<void> {
  const breathe = createBreath()
  const random = createRandom(seed * 31 + 5)
  for (let row = 0; row < HEIGHT; row++) {
    for (let p = row * WIDTH * 3; p < (row + 1) * WIDTH * 3; p += 3) {
      const grain = drawBell(random) * 4.2
      for (let c = p; c < p + 3; c++) rgb[c] = Math.min(255, Math.max(0, (rgb[c] ?? 0) + grain))
    }
    await breathe()
  }
}
