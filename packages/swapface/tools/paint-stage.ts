/** Paints the surroundings of the face: wall, shoulders with clothes, neck in the shadow of the chin, ears. */
import { CENTRE_X, CENTRE_Y, HEIGHT, UNIT, WIDTH, type Person } from './person.ts'

const X = (x: number): string => (CENTRE_X + x * UNIT).toFixed(1)
const Y = (y: number): string => (CENTRE_Y + y * UNIT).toFixed(1)

const svg = (body: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}"><defs>${[3, 8, 14, 30, 60].map((b) => `<filter id="s${b}" x="-60%" y="-60%" width="220%" height="220%"><feGaussianBlur stdDeviation="${b / 2}"/></filter>`).join('')}</defs>${body}</svg>`

export function paintWall({ background: [light, dark] }: Person): string {
  return svg(
    `<radialGradient id="w" cx="0.36" cy="0.3" r="0.95"><stop offset="0" stop-color="${light}"/><stop offset="1" stop-color="${dark}"/></radialGradient><rect width="100%" height="100%" fill="url(#w)"/><ellipse cx="400" cy="430" rx="250" ry="330" fill="#000" opacity="0.16" filter="url(#s60)"/>`,
  )
}

export function paintBody(person: Person): string {
  const { skin, clothes, length } = person
  const chin = length
  const width = 0.5 + 0.4 * (person.jaw - 0.95)
  const base = chin + 0.4
  const neck = `M${X(-width)} ${Y(chin - 0.75)} C${X(-width)} ${Y(chin)} ${X(-width - 0.02)} ${Y(base - 0.2)} ${X(-width - 0.14)} ${Y(base + 0.02)} L${X(-0.9)} ${Y(base + 0.9)} L${X(0.9)} ${Y(base + 0.9)} L${X(width + 0.14)} ${Y(base + 0.02)} C${X(width + 0.02)} ${Y(base - 0.2)} ${X(width)} ${Y(chin)} ${X(width)} ${Y(chin - 0.75)}Z`
  const left = -2.05
  const right = 2.05
  const shoulders = (top: number, dip: string): string =>
    `M${X(left - 0.4)} ${Y(3.6)} C${X(left - 0.15)} ${Y(base + 0.75)} ${X(left + 0.5)} ${Y(base + 0.42)} ${X(-0.78)} ${Y(top)} ${dip} C${X(right - 0.5)} ${Y(base + 0.42)} ${X(right + 0.15)} ${Y(base + 0.75)} ${X(right + 0.4)} ${Y(3.6)}Z`
  const round = `C${X(-0.5)} ${Y(base + 0.42)} ${X(0.5)} ${Y(base + 0.42)} ${X(0.78)} ${Y(base + 0.1)}`
  const vee = `L${X(0)} ${Y(base + 0.78)} L${X(0.78)} ${Y(base + 0.1)}`
  const high = `C${X(-0.4)} ${Y(base + 0.02)} ${X(0.4)} ${Y(base + 0.02)} ${X(0.78)} ${Y(base + 0.1)}`
  const dip = clothes.kind === 'vee' || clothes.kind === 'collar' ? vee : clothes.kind === 'turtle' ? high : round
  const cloth = shoulders(base + 0.1, dip)
  let body = `<linearGradient id="n" x1="0" x2="1"><stop offset="0" stop-color="#fff" stop-opacity="0.08"/><stop offset="0.45" stop-color="#000" stop-opacity="0.05"/><stop offset="1" stop-color="#1a0500" stop-opacity="0.5"/></linearGradient>`
  body += `<clipPath id="nc"><path d="${neck}"/></clipPath><path d="${neck}" fill="${skin}"/><g clip-path="url(#nc)"><path d="${neck}" fill="url(#n)"/>`
  body += `<ellipse cx="${X(0.12)}" cy="${Y(chin - 0.12)}" rx="${0.82 * UNIT}" ry="${0.46 * UNIT}" fill="#2a0a04" opacity="0.62" filter="url(#s30)"/>`
  body += `<path d="M${X(-0.3)} ${Y(base - 0.3)} Q${X(-0.16)} ${Y(base + 0.2)} ${X(-0.06)} ${Y(base + 0.3)}" stroke="#3a1408" stroke-width="10" opacity="0.2" fill="none" filter="url(#s14)"/><path d="M${X(0.34)} ${Y(base - 0.3)} Q${X(0.2)} ${Y(base + 0.2)} ${X(0.08)} ${Y(base + 0.3)}" stroke="#3a1408" stroke-width="12" opacity="0.28" fill="none" filter="url(#s14)"/>`
  body += `<ellipse cx="${X(0)}" cy="${Y(base + 0.52)}" rx="${0.75 * UNIT}" ry="${0.12 * UNIT}" fill="#3a1408" opacity="0.2" filter="url(#s14)"/></g>`
  body += `<linearGradient id="c" x1="0" x2="1"><stop offset="0" stop-color="#fff" stop-opacity="0.14"/><stop offset="0.35" stop-color="#fff" stop-opacity="0.05"/><stop offset="1" stop-color="#000" stop-opacity="0.42"/></linearGradient><clipPath id="cc"><path d="${cloth}"/></clipPath>`
  body += `<path d="${cloth}" fill="#000" opacity="0.3" filter="url(#s14)"/><path d="${cloth}" fill="${clothes.colour}"/><g clip-path="url(#cc)"><path d="${cloth}" fill="url(#c)"/>`
  for (const [x0, x1, o] of [
    [-1.5, -1.2, 0.25],
    [-1.15, -0.95, 0.16],
    [1.25, 1.05, 0.3],
    [1.65, 1.35, 0.3],
    [0.3, 0.12, 0.14],
    [-0.35, -0.2, 0.14],
  ] as const) {
    body += `<path d="M${X(x0)} ${Y(base + 0.45)} Q${X((x0 + x1) / 2)} ${Y(base + 1)} ${X(x1)} ${Y(base + 1.7)}" stroke="#000" stroke-width="26" opacity="${o * 0.42}" fill="none" filter="url(#s14)"/><path d="M${X(x0 - 0.13)} ${Y(base + 0.5)} Q${X((x0 + x1) / 2 - 0.13)} ${Y(base + 1)} ${X(x1 - 0.13)} ${Y(base + 1.7)}" stroke="#fff" stroke-width="22" opacity="${o * 0.16}" fill="none" filter="url(#s30)"/>`
  }
  body += '</g>'
  const edge = `M${X(-0.78)} ${Y(base + 0.1)} ${dip}`
  if (clothes.kind === 'turtle') {
    body += `<path d="M${X(-width - 0.07)} ${Y(chin + 0.12)} Q${X(0)} ${Y(chin + 0.4)} ${X(width + 0.07)} ${Y(chin + 0.12)} L${X(width + 0.2)} ${Y(base + 0.2)} Q${X(0)} ${Y(base + 0.5)} ${X(-width - 0.2)} ${Y(base + 0.2)}Z" fill="${clothes.colour}"/><path d="M${X(-width - 0.07)} ${Y(chin + 0.12)} Q${X(0)} ${Y(chin + 0.4)} ${X(width + 0.07)} ${Y(chin + 0.12)} L${X(width + 0.2)} ${Y(base + 0.2)} Q${X(0)} ${Y(base + 0.5)} ${X(-width - 0.2)} ${Y(base + 0.2)}Z" fill="url(#c)"/>`
    for (let i = -12; i <= 12; i++) {
      const x = (i / 12) * width
      body += `<path d="M${X(x)} ${Y(chin + 0.28 - 0.12 * (x / width) ** 2)} L${X(x * 1.2)} ${Y(base + 0.34 - 0.14 * (x / width) ** 2)}" stroke="#000" stroke-width="2" opacity="0.16"/>`
    }
  } else if (clothes.kind === 'collar') {
    for (const s of [-1, 1]) {
      const collar = `M${X(s * 0.62)} ${Y(base - 0.16)} Q${X(s * 0.66)} ${Y(base + 0.1)} ${X(s * 0.9)} ${Y(base + 0.25)} L${X(s * 0.5)} ${Y(base + 0.72)} L${X(0)} ${Y(base + 0.78)} Q${X(s * 0.45)} ${Y(base + 0.2)} ${X(s * 0.62)} ${Y(base - 0.16)}Z`
      body += `<path d="${collar}" fill="#000" opacity="0.3" filter="url(#s8)" transform="translate(2,5)"/><path d="${collar}" fill="${clothes.trim}"/><path d="${collar}" fill="${s > 0 ? '#000' : '#fff'}" opacity="0.1"/>`
    }
  } else {
    body += `<path d="${edge}" stroke="#000" stroke-width="16" opacity="0.25" fill="none" filter="url(#s8)" transform="translate(0,-4)"/><path d="${edge}" stroke="${clothes.trim}" stroke-width="${clothes.kind === 'vee' ? 13 : 11}" fill="none"/><path d="${edge}" stroke="#000" stroke-width="2" opacity="0.25" fill="none" transform="translate(0,6)"/>`
  }
  return svg(body)
}

export function paintEars(person: Person): string {
  if (['long', 'bob', 'fringe', 'scarf', 'curls'].includes(person.hair.kind)) return svg('')
  const { turn, skin } = person
  let body = ''
  for (const s of [-1, 1]) {
    const x = s * 1.03 * Math.cos(turn) - 0.75 * Math.sin(turn)
    const wide = 0.13 * (1 - s * Math.sin(turn) * 1.4)
    const shade = s < 0 ? 0.1 : 0.3
    body += `<g transform="rotate(${s * 9} ${X(x)} ${Y(0.16)})"><path d="M${X(x - s * 0.06)} ${Y(-0.1)} C${X(x + s * wide)} ${Y(-0.22)} ${X(x + s * wide * 1.7)} ${Y(0)} ${X(x + s * wide * 1.2)} ${Y(0.2)} C${X(x + s * wide)} ${Y(0.36)} ${X(x + s * wide * 0.6)} ${Y(0.5)} ${X(x - s * 0.02)} ${Y(0.48)} L${X(x - s * 0.1)} ${Y(0.1)}Z" fill="${skin}"/>`
    body += `<path d="M${X(x - s * 0.06)} ${Y(-0.1)} C${X(x + s * wide)} ${Y(-0.22)} ${X(x + s * wide * 1.7)} ${Y(0)} ${X(x + s * wide * 1.2)} ${Y(0.2)} C${X(x + s * wide)} ${Y(0.36)} ${X(x + s * wide * 0.6)} ${Y(0.5)} ${X(x - s * 0.02)} ${Y(0.48)} L${X(x - s * 0.1)} ${Y(0.1)}Z" fill="#3a0f06" opacity="${shade}"/>`
    body += `<path d="M${X(x + s * 0.01)} ${Y(-0.03)} C${X(x + s * wide)} ${Y(-0.08)} ${X(x + s * wide * 1.1)} ${Y(0.1)} ${X(x + s * wide * 0.5)} ${Y(0.28)}" stroke="#4a160c" stroke-width="5" fill="none" opacity="0.45" filter="url(#s3)"/><ellipse cx="${X(x + s * 0.01)}" cy="${Y(0.18)}" rx="6" ry="13" fill="#3a0f08" opacity="0.5" filter="url(#s8)"/></g>`
  }
  return svg(body)
}

export function paintGlasses(person: Person): string {
  if (!person.glasses) return svg('')
  const shift = 0.75 * Math.sin(person.turn)
  const cos = Math.cos(person.turn)
  const at = (x: number): number => x * cos + shift
  let body = ''
  for (const s of [-1, 1]) {
    const lens = `<rect x="${X(at(s * 0.45) - 0.32 * cos)}" y="${Y(-0.21)}" width="${0.64 * cos * UNIT}" height="${0.5 * UNIT}" rx="${0.22 * UNIT}"`
    body += `${lens} fill="none" stroke="#000" stroke-width="9" opacity="0.25" transform="translate(4,7)" filter="url(#s8)"/>${lens} fill="#fff" opacity="0.05"/>${lens} fill="none" stroke="#2a1a12" stroke-width="7"/>${lens} fill="none" stroke="#8a5a3a" stroke-width="2" opacity="0.7"/>`
    body += `<path d="M${X(at(s * 0.77))} ${Y(-0.1)} L${X(at(s * 0.77) + s * (0.26 - s * person.turn * 0.5))} ${Y(-0.06)}" stroke="#2a1a12" stroke-width="7" stroke-linecap="round"/>`
  }
  body += `<path d="M${X(at(-0.14))} ${Y(-0.06)} Q${X(at(0))} ${Y(-0.14)} ${X(at(0.14))} ${Y(-0.06)}" stroke="#2a1a12" stroke-width="7" fill="none"/>`
  return svg(body)
}
