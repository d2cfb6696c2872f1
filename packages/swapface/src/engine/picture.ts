/** 8-bit sRGB, three bytes a pixel, rows from the top, no padding. */
export interface Picture {
  readonly width: number
  readonly height: number
  readonly rgb: Uint8Array
}

/** The same layout in floats, 0 to 255, for the working crop, where rounding after each step would show as bands. */
export interface FloatPicture {
  readonly width: number
  readonly height: number
  readonly rgb: Float32Array
}

/** One float for each pixel: a mask, a weight or a coordinate. */
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

/** 0 below `from`, 1 above `to`, smooth between; `from` may be the larger one, then it falls. */
export function smoothstep(from: number, to: number, x: number): number {
  const t = Math.min(1, Math.max(0, (x - from) / (to - from)))
  return t * t * (3 - 2 * t)
}
