/**
 * Paints the hair styles. Each has a part behind the head and a part in front of the face. Guide lines describe the
 * right half, and are mirrored if a style is symmetric.
 */
import { paintCloud, paintRing } from './paint-curls.ts'
import { paintScarf } from './paint-scarf.ts'
import { HEIGHT, WIDTH, type HairStyle, type Person } from './person.ts'
import { createRandom, type Random } from './random.ts'
import { mirrorSheet, paintBlob, paintSheet, toLine, type Sheet } from './strands.ts'

/** The two parts as SVG, and the strength of the hair's shine. */
export interface HairPaint {
  readonly back: string
  readonly front: string
  readonly sheen: number
}

export function paintHair(person: Person): HairPaint {
  const { back, front, sheen } = paintStyle(person, person.hair, createRandom(person.seed * 7 + 1))
  return { back: toSvg(back), front: toSvg(front), sheen }
}

function paintStyle(person: Person, hair: HairStyle, random: Random): HairPaint {
  const paint = (...sheets: Sheet[]): string => sheets.map((sheet) => paintSheet(sheet, hair, random)).join('')
  const behind = (outline: string): string => paintBlob(toLine(outline), hair.dark)
  switch (hair.kind) {
    case 'long': {
      const look = { strands: 330, width: 2.4, loose: 0.035, wave: 0.05 }
      const right: Sheet = {
        from: toLine('-0.22 -1.74, 0.62 -1.62, 1.1 -1.1, 1.24 -0.1, 1.28 1, 1.3 2.2'),
        to: toLine('-0.22 -1, 0.41 -0.84, 0.9 -0.3, 0.98 0.4, 0.92 1.1, 0.88 2.15'),
        ...look,
      }
      const left: Sheet = {
        from: toLine('-0.22 -1.74, -0.62 -1.62, -1.1 -1.1, -1.24 -0.1, -1.28 1, -1.3 2.2'),
        to: toLine('-0.22 -1, -0.59 -0.84, -0.9 -0.3, -0.98 0.4, -0.92 1.1, -0.88 2.15'),
        ...look,
      }
      const inShade = { ...hair, mid: hair.dark, light: hair.mid }
      const fall: Sheet = {
        from: toLine('-1.1 -0.5, -1.15 1, -1.15 2'),
        to: toLine('1.1 -0.5, 1.15 1, 1.15 2'),
        strands: 260,
        width: 3,
        loose: 0.05,
        wave: 0.04,
      }
      const back =
        behind('-1.1 -1.05, -0.62 -1.6, 0 -1.74, 0.62 -1.6, 1.1 -1.05, 1.22 0.6, 1.18 1.9, 0 2, -1.18 1.9, -1.22 0.6') +
        paintSheet(fall, inShade, random)
      return { back, front: paint(right, left), sheen: 1 }
    }
    case 'bob': {
      const look = { strands: 330, width: 2.4, loose: 0.03 }
      const left: Sheet = {
        from: toLine('0.3 -1.76, -0.66 -1.62, -1.14 -1.05, -1.3 -0.1, -1.3 0.7, -1.08 1.16'),
        to: toLine('0.3 -1, -0.2 -0.9, -0.93 -0.36, -1 0.3, -0.96 0.8, -0.8 1.16'),
        ...look,
      }
      const right: Sheet = {
        from: toLine('0.3 -1.76, 0.66 -1.62, 1.14 -1.05, 1.3 -0.1, 1.3 0.7, 1.08 1.16'),
        to: toLine('0.3 -1, 0.8 -0.9, 0.93 -0.36, 1 0.3, 0.96 0.8, 0.8 1.16'),
        ...look,
      }
      const back = behind(
        '-1.12 -1.05, -0.64 -1.6, 0 -1.76, 0.64 -1.6, 1.12 -1.05, 1.26 0.5, 1 1.1, 0 1.15, -1 1.1, -1.26 0.5',
      )
      return { back, front: paint(left, right), sheen: 1.1 }
    }
    case 'fringe': {
      const side: Sheet = {
        from: toLine('0 -1.76, 0.66 -1.62, 1.14 -1.05, 1.26 0, 1.26 0.9, 1.14 1.55'),
        to: toLine('0.5 -1.3, 0.86 -0.8, 0.99 -0.2, 1.02 0.4, 0.98 1, 0.92 1.6'),
        strands: 300,
        width: 2.4,
        loose: 0.022,
      }
      const bangs: Sheet = {
        from: toLine('-0.1 -1.72, -0.66 -1.32, -0.9 -0.75, -0.93 -0.33'),
        to: toLine('0.1 -1.72, 0.66 -1.32, 0.9 -0.75, 0.93 -0.33'),
        strands: 430,
        width: 2.5,
        loose: 0.02,
      }
      const back = behind(
        '-1.12 -1.05, -0.64 -1.6, 0 -1.76, 0.64 -1.6, 1.12 -1.05, 1.24 0.6, 1.1 1.5, 0 1.55, -1.1 1.5, -1.24 0.6',
      )
      return { back, front: paint(mirrorSheet(side), side, bangs), sheen: 1.3 }
    }
    case 'short': {
      const side: Sheet = {
        from: toLine('0.84 -1, 0.99 -0.6, 1 -0.05'),
        to: toLine('0.98 -1.15, 1.14 -0.6, 1.06 0.05'),
        strands: 150,
        width: 1.8,
        loose: 0.02,
      }
      const crown: Sheet = {
        from: toLine('-0.95 -0.8, -0.95 -1.4, -0.35 -1.76, 0.6 -1.66'),
        to: toLine('-0.6 -1, -0.4 -1.4, 0.1 -1.56, 0.8 -1.3'),
        strands: 220,
        width: 2.6,
        loose: 0.045,
      }
      const top: Sheet = {
        from: toLine('-0.62 -1.02, -0.2 -1.5, 0.55 -1.62, 1 -1.15'),
        to: toLine('-0.55 -0.92, 0.05 -1.12, 0.55 -1.06, 0.9 -0.75'),
        strands: 300,
        width: 2.6,
        loose: 0.05,
      }
      const cap = toLine(
        '-0.9 -0.85, -0.6 -0.98, -0.2 -1.12, 0.5 -1.06, 0.88 -0.8, 1.05 -1, 0.6 -1.62, -0.3 -1.72, -0.98 -1.2',
      )
      const back = behind('-0.98 -0.2, -1.02 -0.8, -0.8 -1.4, -0.2 -1.7, 0.5 -1.66, 0.9 -1.25, 1.02 -0.8, 0.98 -0.2')
      return { back, front: paintBlob(cap, hair.dark) + paint(mirrorSheet(side), side, crown, top), sheen: 0.8 }
    }
    case 'crop':
      return { back: '', front: paintCloud(person, random, { out: 0.1, size: 0.026, count: 8000 }), sheen: 0.25 }
    case 'curls':
      return {
        back: paintRing(hair, random, 2600),
        front: paintCloud(person, random, { out: 0.42, size: 0.055, count: 9000 }),
        sheen: 0.6,
      }
    case 'balding': {
      const side: Sheet = {
        from: toLine('0.9 -0.62, 0.97 -0.32, 0.99 0.02'),
        to: toLine('0.97 -0.9, 1.08 -0.5, 1.07 0.1'),
        strands: 200,
        width: 1.5,
        loose: 0.05,
        wave: 0.02,
      }
      const back = behind('-1.04 -0.7, 0 -0.9, 1.04 -0.7, 1.1 0, 1 0.4, -1 0.4, -1.1 0')
      return { back, front: paint(mirrorSheet(side), side), sheen: 0.3 }
    }
    case 'scarf':
      return { ...paintScarf(hair, random), sheen: 0.15 }
  }
}

function toSvg(body: string): string {
  const blurs = `<filter id="soft"><feGaussianBlur stdDeviation="3"/></filter><filter id="fine"><feGaussianBlur stdDeviation="1.2"/></filter>`
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}"><defs>${blurs}</defs>${body}</svg>`
}
