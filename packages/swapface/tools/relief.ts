/**
 * Height map of a face: how far each point extends towards the viewer, in face units. It is a rounded head, as wide at
 * each height as the outline of the face, with smooth bumps for nose, eye sockets, cheeks, lips and chin. Lighting and
 * rotation are computed from it, which makes the drawing look three-dimensional.
 */
import type { Person } from './person.ts'

/** Returns half the width of the face at a height; 0 above the crown and below the chin. */
export function findHalfWidth(person: Person, y: number): number {
  const chin = person.length
  const knots: readonly (readonly [number, number])[] = [
    [-1.7, 0.92],
    [-1.1, 0.98],
    [-0.6, 1.0],
    [-0.1, 1.005],
    [0.3 * chin, 0.97],
    [0.56 * chin, 0.86 * person.jaw],
    [0.74 * chin, 0.7 * person.jaw],
    [0.88 * chin, 0.5 * person.chin],
    [1.05 * chin, 0.3 * person.chin],
  ]
  // Both ends are round: the width goes to 0 like a circle's.
  const toChin = Math.min(1, Math.max(0, (y - 0.82 * chin) / (0.18 * chin)))
  const toCrown = Math.min(1, Math.max(0, (-0.85 - y) / 0.75))
  return interpolate(knots, y) * Math.sqrt(1 - toChin ** 2.6) * Math.sqrt(1 - toCrown ** 2.4)
}

/** Monotone cubic interpolation through the knots; constant beyond them. */
function interpolate(knots: readonly (readonly [number, number])[], at: number): number {
  const last = knots.length - 1
  const get = (i: number): readonly [number, number] => knots[Math.min(last, Math.max(0, i))] ?? [0, 0]
  if (at <= get(0)[0] || at >= get(last)[0]) return 0
  let i = 0
  while (i < last - 1 && get(i + 1)[0] <= at) i++
  const [x0, y0] = get(i)
  const [x1, y1] = get(i + 1)
  const slope = (a: number): number => {
    const [left, right] = [get(a - 1), get(a + 1)]
    return right[0] === left[0] ? 0 : (right[1] - left[1]) / (right[0] - left[0])
  }
  const h = x1 - x0
  const t = (at - x0) / h
  const value =
    (2 * t ** 3 - 3 * t ** 2 + 1) * y0 +
    (t ** 3 - 2 * t ** 2 + t) * h * slope(i) +
    (-2 * t ** 3 + 3 * t ** 2) * y1 +
    (t ** 3 - t ** 2) * h * slope(i + 1)
  return Math.max(0, value)
}

function hill(dx: number, dy: number, width: number, height: number): number {
  const q = (dx / width) ** 2 + (dy / height) ** 2
  return q > 9 ? 0 : Math.exp(-q)
}

/** Returns the height at a point: 0 at the outline, negative outside it. */
export function findRelief(person: Person, x: number, y: number, halfWidth: number): number {
  const side = Math.abs(x)
  if (halfWidth <= 0) return -0.6
  const across = side / halfWidth
  if (across >= 1) return Math.max(-0.6, -8 * (side - halfWidth))
  const { nose, mouth, age, cheeks, length } = person
  const noseY = nose.length
  const mouthY = findMouthY(person)
  // More curved at the sides than in front, and lower towards crown and chin.
  const back = y > 0 ? (y / (length * 1.02)) ** 5 : (y / -1.68) ** 3
  let z = 1.12 * Math.max(0, 1 - across ** 2.5) ** 0.62 * Math.max(0.02, 1 - back) ** 0.5

  z += 0.05 * hill(x, y + 0.75, 0.75, 0.5)
  z += 0.075 * hill(side - 0.38, y + 0.26, 0.36, 0.13)
  z -= 0.17 * hill(side - 0.42, y - 0.02, 0.27, 0.19)
  z += 0.075 * hill(side - 0.43, y - 0.01, 0.2, 0.12)
  z -= 0.05 * hill(side - 0.2, y - 0.05, 0.09, 0.12)
  z += cheeks * 0.11 * hill(side - 0.56, y - 0.46, 0.34, 0.28)
  z -= (0.05 + 0.07 * (1 - cheeks)) * hill(side - 0.68, y - 0.86, 0.26, 0.3)
  z += 0.13 * hill(x, y - mouthY, 0.46, 0.33)

  // The nose: a ridge that widens and rises to the tip, wings beside it, and a steep fall below it.
  const along = Math.min(1, Math.max(0, (y + 0.2) / (noseY + 0.12)))
  const ridge = (0.1 + 0.1 * nose.bridge) * (1 - along) + 0.4 * nose.tip * along ** 1.6
  const ridgeWidth = 0.14 - 0.035 * along + 0.065 * along * nose.width
  const under = 1 / (1 + Math.exp((y - noseY - 0.015) / 0.028))
  const above = 1 / (1 + Math.exp(-(y + 0.26) / 0.12))
  z += ridge * Math.exp(-((x / ridgeWidth) ** 2)) * under * above
  z += 0.13 * nose.tip * hill(x, y - noseY + 0.09, 0.13 * nose.width, 0.11) * under
  z += 0.17 * hill(side - 0.185 * nose.width, y - noseY + 0.06, 0.085 * nose.width, 0.1) * under
  z -= 0.03 * hill(side - 0.3 * nose.width, y - noseY + 0.05, 0.05, 0.12)

  // The lips are bumps along a groove that follows the smile.
  const lipX = Math.min(1.3, side / mouth.width)
  const lineY = findMouthLine(person, x)
  const lipFade = Math.max(0, 1 - lipX ** 2.2)
  const upperY = lineY - 0.5 * mouth.upper - mouth.open / 2
  const lowerY = lineY + 0.55 * mouth.lower + mouth.open / 2
  z += 0.065 * lipFade * Math.exp(-(((y - upperY) / (0.62 * mouth.upper)) ** 2))
  z += 0.085 * lipFade * Math.exp(-(((y - lowerY) / (0.62 * mouth.lower)) ** 2))
  z -= 0.06 * Math.sqrt(lipFade) * Math.exp(-(((y - lineY) / 0.022) ** 2))
  z -= 0.03 * hill(side - mouth.width - 0.02, y - lineY - 0.01, 0.07, 0.08)
  z -= 0.05 * hill(x, y - lowerY - mouth.lower * 0.95, 0.24, 0.07)
  z -= 0.018 * hill(x, y - (noseY + upperY) / 2, 0.045, 0.12)
  z += 0.13 * hill(x, y - length + 0.24, 0.27, 0.16)

  // The fold from the nose's wing past the corner of the mouth, and bags under the eyes, deepen with age.
  const foldX = 0.27 + 0.26 * Math.min(1.3, Math.max(0, (y - noseY + 0.1) / (mouthY - noseY + 0.2)))
  const foldSpan = hill(0, y - (noseY + mouthY) / 2 - 0.02, 1, 0.24)
  z -= (0.014 + 0.05 * age + 0.12 * Math.max(0, mouth.smile)) * foldSpan * Math.exp(-(((side - foldX) / 0.05) ** 2))
  z -= (0.008 + 0.03 * age) * hill(side - 0.4, y - 0.23 - 0.06 * (side - 0.4) ** 2, 0.2, 0.035)
  if (age > 0.4) z += 0.008 * (age - 0.4) * Math.sin(y * 46 + 2.2 * Math.cos(2.1 * x)) * hill(x, y + 0.72, 0.62, 0.24)
  return z
}

export function findMouthY(person: Person): number {
  return person.nose.length + (person.length - person.nose.length) * 0.37
}

/** Returns the line between the lips: a shallow curve whose ends the smile raises. */
export function findMouthLine(person: Person, x: number): number {
  const t = Math.min(1.2, Math.abs(x) / person.mouth.width)
  return findMouthY(person) + 0.008 * Math.cos(t * 5) - person.mouth.smile * (t * t) * 0.62
}
