/**
 * Paints the colours of an unlit face as SVG: skin with its red and dark areas, lips, brows, eyes. The relief adds the
 * shading. Only shades too small for the relief are painted here: lashes, the edges of the eyelids, the nostrils.
 */
import { CENTRE_X, CENTRE_Y, HEIGHT, UNIT, WIDTH, type Person } from './person.ts'
import { createRandom, drawBell, type Random } from './random.ts'
import { findHalfWidth, findMouthLine, findMouthY } from './relief.ts'

const X = (x: number): string => (CENTRE_X + x * UNIT).toFixed(1)
const Y = (y: number): string => (CENTRE_Y + y * UNIT).toFixed(1)
const S = (size: number): string => (size * UNIT).toFixed(2)

export function paintFace(person: Person): string {
  const random = createRandom(person.seed)
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}">
<defs>${[2, 4, 8, 16, 30].map((b) => `<filter id="b${b}" x="-50%" y="-50%" width="200%" height="200%"><feGaussianBlur stdDeviation="${b / 2}"/></filter>`).join('')}</defs>
<rect width="100%" height="100%" fill="${person.skin}"/>
${paintSkin(person, random)}${paintBeard(person, random)}${paintLips(person, random)}${paintNose(person)}
${paintEye(person, -1, random)}${paintEye(person, 1, random)}${paintBrow(person, -1, random)}${paintBrow(person, 1, random)}
</svg>`
}

function blot(x: number, y: number, rx: number, ry: number, colour: string, opacity: number, blur: number): string {
  return `<ellipse cx="${X(x)}" cy="${Y(y)}" rx="${S(rx)}" ry="${S(ry)}" fill="${colour}" opacity="${opacity.toFixed(3)}" filter="url(#b${blur})"/>`
}

function paintSkin(person: Person, random: Random): string {
  const { blush, freckles, age, nose } = person
  const red = '#b8402f'
  let svg = ''
  for (const side of [-1, 1]) {
    svg += blot(side * 0.58, 0.5, 0.28, 0.22, red, 0.3 * blush, 30)
    svg += blot(side * 0.42, 0.2, 0.2, 0.08, '#5a2a3a', 0.1 + 0.12 * age, 16)
    svg += blot(side * 0.42, -0.12, 0.22, 0.07, '#5a2f2a', 0.14, 16)
    svg += blot(side * 1.0, 0.2, 0.1, 0.3, red, 0.25 * blush, 16)
  }
  svg += blot(0, nose.length - 0.08, 0.17, 0.13, red, 0.3 * blush, 16)
  svg += blot(0, person.length - 0.15, 0.24, 0.12, red, 0.13 * blush, 30)
  svg += blot(0, -0.7, 0.5, 0.25, '#ffe9a8', 0.07, 30)
  for (let i = 0; i < 900; i++) {
    const [x, y] = [(random() * 2 - 1) * 1.05, random() * 3 - 1.4]
    const dark = random() < 0.5
    const r = 0.004 + random() * 0.012
    svg += `<circle cx="${X(x)}" cy="${Y(y)}" r="${S(r)}" fill="${dark ? '#6b2a1a' : '#fff0d8'}" opacity="${(0.03 + random() * 0.05).toFixed(3)}"/>`
  }
  for (let i = 0; i < freckles * 260; i++) {
    const x = drawBell(random) * 0.75
    const y = 0.32 + drawBell(random) * 0.3 + 0.08 * Math.abs(x)
    const r = 0.006 + random() * 0.011
    svg += `<ellipse cx="${X(x)}" cy="${Y(y)}" rx="${S(r * (1 + random() * 0.5))}" ry="${S(r)}" fill="#9a5a34" opacity="${(0.2 + random() * 0.4).toFixed(2)}"/>`
  }
  for (let i = 0; i < age * 22; i++) {
    svg += blot(
      drawBell(random),
      -0.6 + random() * 1.5,
      0.015 + random() * 0.02,
      0.014 + random() * 0.015,
      '#8a5636',
      0.22,
      2,
    )
  }
  return svg
}

function paintNose(person: Person): string {
  const { nose } = person
  let svg = ''
  for (const side of [-1, 1]) {
    const x = side * 0.115 * nose.width
    svg += `<path d="M${X(x - side * 0.055)} ${Y(nose.length + 0.012)} Q${X(x)} ${Y(nose.length - 0.055)} ${X(x + side * 0.062)} ${Y(nose.length - 0.008)} Q${X(x + side * 0.02)} ${Y(nose.length + 0.03)} ${X(x - side * 0.055)} ${Y(nose.length + 0.012)}Z" fill="#2a0f0a" opacity="0.72" filter="url(#b2)"/>`
    svg += `<path d="M${X(side * 0.25 * nose.width)} ${Y(nose.length - 0.16)} Q${X(side * 0.315 * nose.width)} ${Y(nose.length - 0.05)} ${X(side * 0.235 * nose.width)} ${Y(nose.length + 0.01)}" stroke="#4a1c12" stroke-width="${S(0.022)}" fill="none" opacity="0.3" filter="url(#b4)"/>`
  }
  return svg
}

function paintLips(person: Person, random: Random): string {
  const { mouth } = person
  const w = mouth.width
  const gap = mouth.open / 2
  const line = (t: number): number => findMouthLine(person, t * w)
  const corner = line(1)
  const top = line(0) - mouth.upper
  const bottom = line(0) + mouth.lower + gap
  const upperEdge = `C${X(-w * 0.6)} ${Y(corner - mouth.upper * 0.62)} ${X(-w * 0.34)} ${Y(top - gap - 0.012)} ${X(-w * 0.17)} ${Y(top - gap - 0.016)} Q${X(0)} ${Y(top - gap + 0.03)} ${X(w * 0.17)} ${Y(top - gap - 0.016)} C${X(w * 0.34)} ${Y(top - gap - 0.012)} ${X(w * 0.6)} ${Y(corner - mouth.upper * 0.62)} ${X(w)} ${Y(corner)}`
  const innerUpper = (from: number): string =>
    `Q${X(from * w * 0.5)} ${Y(line(0.5) - gap * 0.8)} ${X(0)} ${Y(line(0) - gap)} Q${X(-from * w * 0.5)} ${Y(line(0.5) - gap * 0.8)} ${X(-from * w)} ${Y(corner)}`
  const innerLower = (from: number): string =>
    `Q${X(from * w * 0.55)} ${Y(line(0.5) + gap * 1.1)} ${X(0)} ${Y(line(0) + gap)} Q${X(-from * w * 0.55)} ${Y(line(0.5) + gap * 1.1)} ${X(-from * w)} ${Y(corner)}`
  const lowerEdge = `C${X(w * 0.72)} ${Y(line(0.7) + mouth.lower * 0.75 + gap)} ${X(w * 0.4)} ${Y(bottom + 0.01)} ${X(0)} ${Y(bottom)} C${X(-w * 0.4)} ${Y(bottom + 0.01)} ${X(-w * 0.72)} ${Y(line(0.7) + mouth.lower * 0.75 + gap)} ${X(-w)} ${Y(corner)}`
  const upper = `M${X(-w)} ${Y(corner)}${upperEdge}${innerUpper(1)}Z`
  const lower = `M${X(w)} ${Y(corner)}${lowerEdge}${innerLower(-1)}Z`
  let svg = ''
  if (mouth.open > 0) {
    const inside = `M${X(-w)} ${Y(corner)}${innerUpper(-1)}${innerLower(1)}Z`
    svg += `<clipPath id="mouth"><path d="${inside}"/></clipPath><path d="${inside}" fill="#3a100e"/><g clip-path="url(#mouth)">`
    const toothTop = line(0) - gap - 0.03
    for (let i = -5; i < 5; i++) {
      const tw = w * (0.19 - 0.014 * Math.abs(i + 0.5))
      const tx = (i + 0.5) * w * 0.175
      svg += `<rect x="${X(tx - tw / 2)}" y="${Y(toothTop - 0.06 * Math.abs(tx))}" width="${S(tw * 0.97)}" height="${S(gap * 2 + 0.01)}" rx="${S(0.02)}" fill="#e9e2d4"/>`
    }
    svg += `<path d="M${X(-w)} ${Y(corner)}${innerUpper(-1)}" stroke="#3a100e" stroke-width="${S(0.045)}" fill="none" opacity="0.55" filter="url(#b4)"/></g>`
  }
  svg += `<g filter="url(#b2)"><path d="${upper}" fill="${mouth.colour}"/><path d="${upper}" fill="#3a0f18" opacity="0.18"/><path d="${lower}" fill="${mouth.colour}"/></g>`
  for (let i = 0; i < 46; i++) {
    const t = (random() * 2 - 1) * 0.85
    const y0 = line(t) + (random() < 0.5 ? -0.8 * mouth.upper : mouth.lower * 0.15) * (1 - t * t)
    svg += `<path d="M${X(t * w)} ${Y(y0)} l${S(t * 0.02)} ${S(mouth.lower * 0.5 * (1 - t * t))}" stroke="${random() < 0.5 ? '#4a1018' : '#ffd9d0'}" stroke-width="0.8" opacity="0.13"/>`
  }
  const seam = `M${X(-w * 1.02)} ${Y(corner)}${innerUpper(-1)}`
  svg += `<path d="${seam}" stroke="#3a0c10" stroke-width="${S(0.022)}" fill="none" opacity="0.75" stroke-linecap="round" filter="url(#b2)"/>`
  for (const side of [-1, 1]) svg += blot(side * w * 1.02, corner, 0.035, 0.025, '#3a0f0c', 0.4, 4)
  return svg + blot(0, bottom + 0.07, 0.2, 0.035, '#3a1410', 0.12, 8)
}

function paintEye(person: Person, side: number, random: Random): string {
  const { eye, age } = person
  const id = side < 0 ? 'l' : 'r'
  const cx = side * 0.43
  const w = eye.width / 2
  const inner = { x: cx - side * w, y: 0.025 }
  const outer = { x: cx + side * w, y: 0.01 - eye.slant }
  const topY = -eye.open * 0.54
  const lowY = eye.open * 0.4
  const at = (t: number): number => inner.x + (outer.x - inner.x) * t
  const upper = `C${X(at(0.18))} ${Y(topY * 0.75 + inner.y)} ${X(at(0.36))} ${Y(topY * 1.22)} ${X(at(0.56))} ${Y(topY * 1.16 - eye.slant * 0.4)} S${X(at(0.93))} ${Y(topY * 0.32 - eye.slant)} ${X(outer.x)} ${Y(outer.y)}`
  const lower = `C${X(at(0.8))} ${Y(lowY * 0.95 - eye.slant * 0.5)} ${X(at(0.62))} ${Y(lowY * 1.25)} ${X(at(0.45))} ${Y(lowY * 1.2)} S${X(at(0.12))} ${Y(lowY * 0.75)} ${X(inner.x)} ${Y(inner.y)}`
  const shape = `M${X(inner.x)} ${Y(inner.y)}${upper}${lower}Z`
  const ix = cx
  const iy = -0.006 - eye.slant * 0.3
  const r = 0.11
  let svg = `<clipPath id="eye${id}"><path d="${shape}"/></clipPath>`
  svg += `<radialGradient id="white${id}"><stop offset="0" stop-color="#f6f1ec"/><stop offset="0.7" stop-color="#e6ddd6"/><stop offset="1" stop-color="#c7a99f"/></radialGradient>`
  svg += `<radialGradient id="iris${id}"><stop offset="0" stop-color="${eye.iris}"/><stop offset="0.75" stop-color="${eye.iris}"/><stop offset="1" stop-color="#140f0e"/></radialGradient>`
  svg += `<path d="${shape}" fill="#2a1210" opacity="0.35" filter="url(#b8)"/>`
  svg += `<g clip-path="url(#eye${id})"><ellipse cx="${X(cx)}" cy="${Y(0)}" rx="${S(w * 1.05)}" ry="${S(eye.open * 1.05)}" fill="url(#white${id})"/>`
  svg += `<ellipse cx="${X(inner.x + side * 0.02)}" cy="${Y(inner.y)}" rx="${S(0.035)}" ry="${S(0.03)}" fill="#c98278" opacity="0.85" filter="url(#b2)"/>`
  svg += `<circle cx="${X(ix)}" cy="${Y(iy)}" r="${S(r)}" fill="url(#iris${id})"/>`
  for (let i = 0; i < 90; i++) {
    const a = random() * Math.PI * 2
    const [r0, r1] = [r * (0.42 + random() * 0.15), r * (0.7 + random() * 0.22)]
    const light = random() < 0.55
    svg += `<line x1="${X(ix + r0 * Math.cos(a))}" y1="${Y(iy + r0 * Math.sin(a))}" x2="${X(ix + r1 * Math.cos(a))}" y2="${Y(iy + r1 * Math.sin(a))}" stroke="${light ? '#fff3d0' : '#1a0e08'}" stroke-width="0.9" opacity="${light ? 0.2 : 0.25}"/>`
  }
  svg += `<path d="M${X(ix - r * 0.7)} ${Y(iy + r * 0.3)} A${S(r * 0.75)} ${S(r * 0.75)} 0 0 0 ${X(ix + r * 0.7)} ${Y(iy + r * 0.3)}" stroke="#ffffff" stroke-width="${S(r * 0.35)}" opacity="0.14" fill="none" filter="url(#b4)"/>`
  svg += `<circle cx="${X(ix)}" cy="${Y(iy)}" r="${S(r * 0.42)}" fill="#080505"/>`
  svg += `<path d="M${X(inner.x)} ${Y(inner.y)}${upper}" stroke="#1a0c0a" stroke-width="${S(0.085)}" fill="none" opacity="0.62" filter="url(#b8)"/></g>`
  svg += `<ellipse cx="${X(ix - 0.036)}" cy="${Y(iy - 0.04)}" rx="${S(0.02)}" ry="${S(0.024)}" fill="#fff" opacity="0.95"/><circle cx="${X(ix + 0.04)}" cy="${Y(iy + 0.045)}" r="${S(0.008)}" fill="#fff" opacity="0.45"/>`
  svg += `<path d="M${X(outer.x)} ${Y(outer.y)}${lower}" stroke="#e6b8a4" stroke-width="${S(0.016)}" fill="none" opacity="0.55" filter="url(#b2)"/>`
  svg += `<path d="M${X(outer.x)} ${Y(outer.y + 0.006)}${lower}" stroke="#3a1a12" stroke-width="${S(0.012)}" fill="none" opacity="0.35" filter="url(#b2)"/>`
  svg += `<path d="M${X(inner.x + side * 0.02)} ${Y(inner.y - 0.01)}${upper}" stroke="#140a08" stroke-width="${S(0.02 + 0.014 * eye.lashes)}" fill="none" opacity="0.88" stroke-linecap="round"/>`
  // The line of the upper lid as two Bézier curves, for the roots of the lashes.
  const middle = [at(0.56), topY * 1.16 - eye.slant * 0.4] as const
  const findLid = (t: number): readonly [number, number] =>
    t < 0.56
      ? bezier(t / 0.56, [inner.x, inner.y], [at(0.18), topY * 0.75 + inner.y], [at(0.36), topY * 1.22], middle)
      : bezier(
          (t - 0.56) / 0.44,
          middle,
          [2 * middle[0] - at(0.36), 2 * middle[1] - topY * 1.22],
          [at(0.93), topY * 0.32 - eye.slant],
          [outer.x, outer.y],
        )
  const crease = 0.055 * (1 - eye.hood) + 0.012
  svg += `<path d="M${X(at(0.06))} ${Y(inner.y - crease * 0.8)} C${X(at(0.2))} ${Y(topY * 0.85 - crease)} ${X(at(0.36))} ${Y(topY * 1.25 - crease * 1.2)} ${X(at(0.56))} ${Y(topY * 1.2 - crease * 1.2 - eye.slant * 0.4)} S${X(at(0.96))} ${Y(topY * 0.5 - crease - eye.slant)} ${X(at(1.08))} ${Y(outer.y - crease * 0.35)}" stroke="#4a2018" stroke-width="${S(0.024)}" fill="none" opacity="${(0.5 + 0.2 * age).toFixed(2)}" filter="url(#b2)" stroke-linecap="round"/>`
  for (let i = 0; i < 26; i++) {
    const t = 0.2 + (i / 25) * 0.8
    const [px, py] = findLid(t)
    const len = (0.028 + 0.045 * t) * (0.5 + eye.lashes)
    svg += `<path d="M${X(px)} ${Y(py)} q${S(side * len * 0.25 * t)} ${S(-len * 0.35)} ${S(side * len * (t - 0.35) * 1.1)} ${S(-len * 0.75)}" stroke="#0f0806" stroke-width="1.1" fill="none" opacity="0.8" stroke-linecap="round"/>`
  }
  for (let i = 0; i < 16; i++) {
    const t = 0.3 + (i / 15) * 0.65
    const py = lowY * 1.18 * Math.sin(Math.PI * (1 - t * 0.86 - 0.05)) ** 0.9 - eye.slant * 0.4 * t
    svg += `<path d="M${X(at(t))} ${Y(py + 0.008)} l${S(side * 0.012 * t)} ${S(0.02 * (0.5 + eye.lashes))}" stroke="#1a0c08" stroke-width="0.8" opacity="0.45"/>`
  }
  if (age > 0.4) {
    for (const [dx, dy, len] of [
      [0.04, -0.03, 0.12],
      [0.05, 0.02, 0.13],
      [0.04, 0.07, 0.11],
    ] as const) {
      svg += `<path d="M${X(outer.x + side * dx)} ${Y(outer.y + dy)} q${S(side * len * 0.5)} ${S(dy * 0.3)} ${S(side * len)} ${S(dy)}" stroke="#4a2418" stroke-width="1.4" fill="none" opacity="${(0.32 * age).toFixed(2)}" filter="url(#b2)"/>`
    }
    svg += `<path d="M${X(at(0.1))} ${Y(0.17)} Q${X(at(0.5))} ${Y(0.29)} ${X(at(1.05))} ${Y(0.19)}" stroke="#5a2c22" stroke-width="2.2" fill="none" opacity="${(0.3 * age).toFixed(2)}" filter="url(#b4)"/>`
  }
  return svg
}

type Spot = readonly [number, number]

function bezier(t: number, a: Spot, b: Spot, c: Spot, d: Spot): Spot {
  const s = 1 - t
  const mix = (i: 0 | 1): number => s ** 3 * a[i] + 3 * s * s * t * b[i] + 3 * s * t * t * c[i] + t ** 3 * d[i]
  return [mix(0), mix(1)]
}

function paintBrow(person: Person, side: number, random: Random): string {
  const { brow } = person
  const from = 0.16
  const to = 0.78
  let svg = ''
  const line = (t: number): number =>
    -0.25 - brow.height - brow.arch * 1.15 * Math.sin(Math.PI * (0.08 + 0.72 * t)) + 0.045 * t * t
  svg += `<path d="${[0.02, 0.25, 0.5, 0.75, 0.97].map((t, i) => `${i === 0 ? 'M' : 'L'}${X(side * (from + (to - from) * t))} ${Y(line(t))}`).join(' ')}" stroke="${brow.colour}" stroke-width="${S(0.07 * brow.thick)}" stroke-linecap="round" stroke-linejoin="round" fill="none" opacity="0.32" filter="url(#b8)"/>`
  for (let i = 0; i < 210 * brow.thick; i++) {
    const t = random()
    const thick = 0.062 * brow.thick * (t < 0.12 ? 0.5 + 4 * t : 1 - 0.62 * ((t - 0.12) / 0.88) ** 1.4)
    const off = drawBell(random) * thick
    const x = side * (from + (to - from) * t)
    const y = line(t) + off
    const lean = t < 0.14 ? 0.75 + t * 1.8 : 1
    const len = 0.075 * (0.6 + random() * 0.6) * (1 - 0.25 * t)
    const rise = t < 0.14 ? -0.55 : off > 0 ? -0.36 : 0.1 + 0.3 * t
    svg += `<path d="M${X(x)} ${Y(y)} q${S(side * len * 0.45 * lean)} ${S(len * rise * 0.7)} ${S(side * len * lean)} ${S(len * rise)}" stroke="${brow.colour}" stroke-width="${(0.9 + random() * 0.8).toFixed(2)}" fill="none" opacity="${(0.45 + random() * 0.45).toFixed(2)}" stroke-linecap="round"/>`
  }
  return svg
}

function paintBeard(person: Person, random: Random): string {
  const { beard, mouth, length, nose } = person
  if (beard.kind === 'none') return ''
  const mouthY = findMouthY(person)
  const count = beard.kind === 'full' ? 5200 : 4200
  let svg = ''
  if (beard.kind === 'full') {
    svg += `<g fill="${beard.colour}" opacity="0.6" filter="url(#b16)">`
    svg += `<path d="M${X(-0.95)} ${Y(0.25)} L${X(-0.9)} ${Y(0.62)} Q${X(-0.72)} ${Y(0.8)} ${X(-0.5)} ${Y(mouthY - 0.06)} L${X(-0.42)} ${Y(mouthY + 0.1)} Q${X(-0.2)} ${Y(mouthY + 0.28)} ${X(0)} ${Y(mouthY + 0.26)} Q${X(0.2)} ${Y(mouthY + 0.28)} ${X(0.42)} ${Y(mouthY + 0.1)} L${X(0.5)} ${Y(mouthY - 0.06)} Q${X(0.72)} ${Y(0.8)} ${X(0.9)} ${Y(0.62)} L${X(0.95)} ${Y(0.25)} L${X(1.1)} ${Y(length + 0.2)} L${X(-1.1)} ${Y(length + 0.2)}Z"/>`
    svg += `<path d="M${X(-mouth.width * 1.1)} ${Y(mouthY)} Q${X(-0.2)} ${Y(nose.length + 0.06)} ${X(0)} ${Y(nose.length + 0.1)} Q${X(0.2)} ${Y(nose.length + 0.06)} ${X(mouth.width * 1.1)} ${Y(mouthY)} Q${X(0)} ${Y(mouthY - mouth.upper - 0.1)} ${X(-mouth.width * 1.1)} ${Y(mouthY)}Z"/></g>`
  }
  for (let i = 0; i < count; i++) {
    const y = 0.2 + random() * (length - 0.15)
    const half = findHalfWidth(person, y)
    const x = (random() * 2 - 1) * half
    const side = Math.abs(x)
    const moustache = y > nose.length + 0.06 && y < mouthY - mouth.upper * 0.9 && side < mouth.width * 1.15
    const cheekLine = 0.3 + 0.62 * Math.min(1, Math.max(0, (0.98 - side) / 0.5))
    const cheek = side > mouth.width * 1.05 && y > cheekLine + (random() - 0.5) * 0.16
    const chin = side <= mouth.width * 1.05 && y > mouthY + mouth.lower + 0.06 + (random() - 0.5) * 0.06
    if (!moustache && !cheek && !chin) continue
    const len = (beard.kind === 'full' ? 0.05 : 0.014) * (0.6 + random() * 0.7)
    const lean = x * 0.5 + (random() - 0.5) * 0.8
    const [dx, dy] = moustache ? [Math.sign(x || 1) * 0.8, 0.5] : [lean, 0.9]
    const dark = random() < 0.75
    svg += `<path d="M${X(x)} ${Y(y)} q${S(dx * len * 0.2)} ${S(dy * len * 0.6)} ${S(dx * len)} ${S(dy * len)}" stroke="${dark ? beard.colour : '#5a473a'}" stroke-width="${beard.kind === 'full' ? 1.2 : 1}" opacity="${(beard.kind === 'full' ? 0.45 + random() * 0.4 : 0.22 + random() * 0.3).toFixed(2)}" fill="none" stroke-linecap="round"/>`
  }
  return svg
}
