/** Paints a headscarf: a hood around the face, cloth behind it, and folds along the cloth. */
import { HEIGHT, WIDTH, type HairStyle } from './person.ts'
import type { Random } from './random.ts'
import { paintBlob, paintStrand, toLine, toPath } from './strands.ts'

const DRAPE = toLine(
  '-1.25 -0.4, -1.05 -1.3, -0.4 -1.78, 0.4 -1.78, 1.05 -1.3, 1.25 -0.4, 1.22 0.6, 1.3 1.4, 1.75 2.4, -1.75 2.4, -1.3 1.4, -1.22 0.6',
)
const HOOD = toLine(
  '-1.22 -0.3, -1 -1.28, 0 -1.76, 1 -1.28, 1.22 -0.3, 1.16 0.7, 0.95 1.5, 0.3 2.05, -0.4 2.05, -0.95 1.5, -1.16 0.7',
)
const OPENING = toLine(
  '-0.93 -0.35, -0.72 -0.92, 0 -1.13, 0.72 -0.92, 0.93 -0.35, 0.95 0.4, 0.72 1.06, 0.25 1.5, -0.25 1.5, -0.72 1.06, -0.95 0.4',
)

export function paintScarf(colours: HairStyle, random: Random): { readonly back: string; readonly front: string } {
  const opening = toPath(OPENING, true)
  const hood = `<path fill-rule="evenodd" fill="${colours.mid}" d="${toPath(HOOD, true)} ${opening}"/>`
  const outside = `<clipPath id="cloth"><path clip-rule="evenodd" d="M0 0H${WIDTH}V${HEIGHT}H0Z ${opening}"/></clipPath>`
  const rim = `<path d="${opening}" fill="none" stroke="${colours.dark}" stroke-width="6" opacity="0.5" filter="url(#soft)"/>`
  const folds = paintFolds(colours, random)
  return {
    back: paintBlob(DRAPE, colours.dark),
    front: `${hood}${outside}<g clip-path="url(#cloth)">${folds}</g>${rim}`,
  }
}

function paintFolds(colours: HairStyle, random: Random): string {
  let svg = ''
  for (let i = 0; i < 70; i++) {
    const k = i / 69
    const s = i % 2 === 0 ? 1 : -1
    const o = k * 0.25
    const around = [
      [s * (0.05 + 0.1 * k), -1.2 - o * 2],
      [s * (0.8 + o * 0.7), -1 - o],
      [s * (0.99 + o * 0.8), -0.2],
      [s * (1 + o * 0.7), 0.5],
      [s * (0.78 + o * 0.9), 1.2 + o],
      [s * (0.1 - k * 0.4), 1.72 + o],
    ] as const
    const colour = random() < 0.5 ? colours.light : colours.dark
    svg += paintStrand(around, colour, 1.5 + random() * 5, 0.1 + random() * 0.16, 'soft')
  }
  for (let i = 0; i < 40; i++) {
    const y = 1.62 + random() * 0.75
    const across = [
      [-1 - random() * 0.3, y - 0.5 + random() * 0.2],
      [-0.2, y + 0.05],
      [0.5, y - 0.05],
      [1.1 + random() * 0.4, y + 0.3],
    ] as const
    svg += paintStrand(across, random() < 0.5 ? colours.light : colours.dark, 2 + random() * 6, 0.14, 'soft')
  }
  return svg
}
