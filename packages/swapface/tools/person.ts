/**
 * What makes one drawn person: measures in face units (half the width of the face at the cheekbones; x to the picture's
 * right, y down from the line of the eyes), colours as hex, shares from 0 to 1.
 */
export interface Person {
  readonly seed: number
  /** Turn of the head to the picture's right, and tilt clockwise, in radians. */
  readonly turn: number
  readonly tilt: number
  readonly background: readonly [string, string]
  readonly skin: string
  /** Redness of cheeks, nose and ears. */
  readonly blush: number
  readonly freckles: number
  /** 0 young, 1 old: folds, spots, softer contours. */
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
  /** Outer corner above the inner one. */
  readonly slant: number
  /** How far a fold hides the upper lid. */
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
  /** Gap between the lips, with teeth in it. */
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
/** Pixels of one face unit, and where the middle between the eyes lies. */
export const UNIT = 148
export const CENTRE_X = 320
export const CENTRE_Y = 378
