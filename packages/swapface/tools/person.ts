/**
 * The parameters of a drawn person. Lengths are in face units (half the width of the face at the cheekbones; x to the
 * picture's right, y down from the line of the eyes), colours are hex, strengths are from 0 to 1.
 */
export interface Person {
  readonly seed: number
  /** Rotation of the head to the picture's right, and its clockwise tilt, in radians. */
  readonly turn: number
  readonly tilt: number
  readonly background: readonly [string, string]
  readonly skin: string
  /** Redness of cheeks, nose and ears. */
  readonly blush: number
  readonly freckles: number
  /** 0 is young, 1 is old: folds, spots, softer contours. */
  readonly age: number
  /** Half widths of the face. */
  readonly jaw: number
  readonly chin: number
  /** Length from eyes to chin. */
  readonly length: number
  readonly cheeks: number
  readonly eye: EyeShape
  readonly brow: BrowShape
  readonly nose: { readonly width: number; readonly length: number; readonly bridge: number; readonly tip: number }
  readonly mouth: MouthShape
  readonly hair: HairStyle
  readonly beard: { readonly kind: 'none' | 'stubble' | 'full'; readonly colour: string }
  readonly glasses: boolean
  readonly clothes: Clothes
}

export interface EyeShape {
  readonly iris: string
  readonly width: number
  readonly open: number
  /** Height of the outer corner above the inner one. */
  readonly slant: number
  /** How much of the upper lid a fold hides. */
  readonly hood: number
  readonly lashes: number
}

export interface BrowShape {
  readonly colour: string
  readonly thick: number
  readonly arch: number
  readonly height: number
}

export interface MouthShape {
  readonly width: number
  readonly upper: number
  readonly lower: number
  readonly smile: number
  readonly colour: string
  /** Gap between the lips, which shows the teeth. */
  readonly open: number
}

export interface HairStyle {
  readonly kind: 'long' | 'bob' | 'crop' | 'short' | 'curls' | 'fringe' | 'scarf' | 'balding'
  readonly dark: string
  readonly mid: string
  readonly light: string
}

export interface Clothes {
  readonly kind: 'crew' | 'vee' | 'collar' | 'turtle'
  readonly colour: string
  readonly trim: string
}

export const WIDTH = 640
export const HEIGHT = 800
/** Pixels per face unit, and the position of the midpoint between the eyes. */
export const UNIT = 148
export const CENTRE_X = 320
export const CENTRE_Y = 378
