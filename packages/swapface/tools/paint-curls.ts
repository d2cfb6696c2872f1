/** Paints curly hair: small arcs over the scalp, and a ring of them behind the head. */
import type { HairStyle, Person } from './person.ts'
import type { Random } from './random.ts'
import { findHalfWidth } from './relief.ts'
import { pickShade, toLength, toX, toY } from './strands.ts'

/** Paints small curls over the scalp and a little beyond it, down to an irregular hairline. */
export function paintCloud(
  person: Person,
  random: Random,
  { out, size, count }: { out: number; size: number; count: number },
): string {
  const { hair } = person
  let svg = ''
  const curls: string[] = []
  for (let i = 0; i < count; i++) {
    const x = (random() * 2 - 1) * (1.05 + out)
    const y = -1.62 - out + random() * (1.62 + out + (out > 0.3 ? 1 : 0.05))
    const half = findHalfWidth(person, Math.min(-0.2, Math.max(y, -1.55)))
    const side = Math.abs(x)
    const hairline =
      side < 0.72 ? -0.98 + 0.06 * Math.cos(x * 5) + 0.1 * (side / 0.72) ** 3 : -0.88 + ((side - 0.72) / 0.2) * 0.62
    const wide = side / (1 + out)
    const dome = y < -0.5 || out > 0.3 ? wide ** 2.2 + (Math.abs(y + 0.5) / (1.08 + out)) ** 2.2 : 0
    if (dome > 0.97 + random() * 0.06 || side > half + out) continue
    const edge = (random() - 0.5) * (size * 2.2)
    if (side < half - 0.03 && y > hairline + edge) continue
    const a = random() * 6.28
    const r = size * (0.6 + random() * 0.7)
    if (i % 2 === 0) svg += `<circle cx="${toX(x)}" cy="${toY(y)}" r="${toLength(size * 1.7)}"/>`
    curls.push(
      `<path d="M${toX(x - r * Math.cos(a))} ${toY(y - r * Math.sin(a))} q${toLength(r * Math.sin(a) * 1.6)} ${toLength(-r * Math.cos(a) * 1.6)} ${toLength(2 * r * Math.cos(a))} ${toLength(2 * r * Math.sin(a))}" stroke="${pickShade(hair, random, random())}" stroke-width="${(size * 42 * (0.5 + random() * 0.5)).toFixed(1)}" fill="none" stroke-linecap="round" opacity="${(0.55 + random() * 0.4).toFixed(2)}"/>`,
    )
  }
  return `<g fill="${hair.dark}" opacity="0.94" filter="url(#fine)">${svg}</g>${curls.join('')}`
}

/** Paints a ring of curls behind the head. */
export function paintRing(hair: HairStyle, random: Random, count: number): string {
  let svg = `<ellipse cx="${toX(0)}" cy="${toY(-0.45)}" rx="${toLength(1.48)}" ry="${toLength(1.5)}" fill="${hair.dark}"/>`
  for (let i = 0; i < count; i++) {
    const a = random() * 6.28
    const r = 0.9 + random() * 0.62 + 0.04 * Math.sin(a * 11)
    const [x, y] = [Math.cos(a) * r, -0.42 + Math.sin(a) * r * 1.02]
    const b = random() * 6.28
    const c = 0.05 + random() * 0.05
    svg += `<path d="M${toX(x)} ${toY(y)} q${toLength(c * Math.cos(b))} ${toLength(c * Math.sin(b))} ${toLength(c * 1.6 * Math.cos(b + 1.3))} ${toLength(c * 1.6 * Math.sin(b + 1.3))}" stroke="${pickShade(hair, random, random())}" stroke-width="${(1.6 + random() * 2.4).toFixed(1)}" fill="none" stroke-linecap="round" opacity="0.8"/>`
  }
  return svg
}
