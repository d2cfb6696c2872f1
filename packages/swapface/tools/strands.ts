/** Draws lines, strands and groups of strands as SVG. All lengths are in face units. */
import { CENTRE_X, CENTRE_Y, UNIT, type HairStyle } from './person.ts'
import { drawBell, type Random } from './random.ts'

export type Point = readonly [number, number]
export type Line = readonly Point[]

/** Some hundred slightly different strands between two guide lines, in locks of one shade each. */
export interface Sheet {
  readonly from: Line
  readonly to: Line
  readonly strands: number
  /** Width of a strand, in pixels. */
  readonly width: number
  /** Random sideways deviation of a strand, in face units. */
  readonly loose: number
  readonly wave?: number
}

/** Parses points written as "x y, x y". */
export function toLine(text: string): Line {
  return text.split(',').map((pair) => {
    const [x = 0, y = 0] = pair.trim().split(' ').map(Number)
    return [x, y]
  })
}

export function mirrorLine(line: Line): Line {
  return line.map(([x, y]) => [-x, y])
}

export function mirrorSheet(sheet: Sheet): Sheet {
  return { ...sheet, from: mirrorLine(sheet.from), to: mirrorLine(sheet.to) }
}

export function paintSheet(sheet: Sheet, hair: HairStyle, random: Random): string {
  const locks = Array.from({ length: 40 }, () => random())
  let svg = paintBlob([...sheet.from, ...sheet.to.toReversed()], hair.dark)
  for (let i = 0; i < sheet.strands; i++) {
    const k = random()
    const lock = locks[Math.floor(k * 39)] ?? 0
    const shift = drawBell(random) * sheet.loose
    const phase = Math.floor(k * 12) * 1.7
    const points = sheet.from.map((a, j): Point => {
      const b = sheet.to[j] ?? a
      const t = j / (sheet.from.length - 1)
      const bend = (sheet.wave ?? 0) * Math.sin(phase + t * 9) * t
      // Varies the lengths, so that the ends do not form a straight line.
      const end = t === 1 ? 0.07 * random() : 0
      return [
        a[0] + (b[0] - a[0]) * k + shift * (0.3 + t) + bend,
        a[1] + (b[1] - a[1]) * k + drawBell(random) * sheet.loose * t + end,
      ]
    })
    svg += paintStrand(
      points,
      pickShade(hair, random, lock),
      sheet.width * (0.5 + random() * 0.7),
      0.35 + random() * 0.5,
    )
  }
  return svg
}

/** Returns a random shade of the hair. @param lock 0 for a dark lock, 1 for a light one. */
export function pickShade(hair: HairStyle, random: Random, lock: number): string {
  const t = lock * 0.65 + random() * 0.35
  return t < 0.4 ? hair.dark : t < 0.78 ? hair.mid : hair.light
}

export function paintStrand(points: Line, colour: string, width: number, opacity: number, filter = ''): string {
  const soft = filter === '' ? '' : ` filter="url(#${filter})"`
  return `<path d="${toPath(points, false)}" stroke="${colour}" stroke-width="${width.toFixed(2)}" fill="none" stroke-linecap="round" opacity="${opacity.toFixed(2)}"${soft}/>`
}

export function paintBlob(points: Line, colour: string): string {
  return `<path d="${toPath(points, true)}" fill="${colour}"/>`
}

/** Returns a Catmull-Rom spline through the points, as cubic Bézier curves. */
export function toPath(points: Line, closed: boolean): string {
  const count = points.length
  const get = (i: number): Point => points[closed ? (i + count) % count : Math.min(count - 1, Math.max(0, i))] ?? [0, 0]
  let d = `M${toX(get(0)[0])} ${toY(get(0)[1])}`
  for (let i = 0; i < (closed ? count : count - 1); i++) {
    const [a, b, c, e] = [get(i - 1), get(i), get(i + 1), get(i + 2)]
    d += `C${toX(b[0] + (c[0] - a[0]) / 6)} ${toY(b[1] + (c[1] - a[1]) / 6)}`
    d += ` ${toX(c[0] - (e[0] - b[0]) / 6)} ${toY(c[1] - (e[1] - b[1]) / 6)} ${toX(c[0])} ${toY(c[1])}`
  }
  return closed ? `${d}Z` : d
}

export function toX(x: number): string {
  return (CENTRE_X + x * UNIT).toFixed(1)
}

export function toY(y: number): string {
  return (CENTRE_Y + y * UNIT).toFixed(1)
}

export function toLength(size: number): string {
  return (size * UNIT).toFixed(2)
}
