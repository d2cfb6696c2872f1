/** 8-bit sRGB, three bytes per pixel, rows from the top, no padding. */
export interface Picture {
  readonly width: number
  readonly height: number
  readonly rgb: Uint8Array
}

/** The same layout in floats, 0 to 255, for the working crop: rounding after each step would show as banding. */
export interface FloatPicture {
  readonly width: number
  readonly height: number
  readonly rgb: Float32Array
}

/** One float per pixel: a mask, a weight or a coordinate. */
export interface Plane {
  readonly width: number
  readonly height: number
  readonly values: Float32Array
}

export function createPlane(width: number, height: number): Plane {
  return { width, height, values: new Float32Array(width * height) }
}

export function createFloatPicture(width: number, height: number): FloatPicture {
  return { width, height, rgb: new Float32Array(width * height * 3) }
}

/** Smooth step from 0 at `from` to 1 at `to`; it falls if `from` is greater than `to`. */
export function smoothstep(from: number, to: number, x: number): number {
  const t = Math.min(1, Math.max(0, (x - from) / (to - from)))
  return t * t * (3 - 2 * t)
}
