/** Converts the recognition network's embedding to the swap network's source. */

export const IDENTITY_SIZE = 512

/** Multiplies the unit embedding with emap (512 x 512, row-major) and normalises the result to length 1. */
export function toSource(embedding: Float32Array, emap: Float32Array): Float32Array {
  const unit = toUnitLength(embedding)
  const source = new Float32Array(IDENTITY_SIZE)
  for (let row = 0; row < IDENTITY_SIZE; row++) {
    const share = unit[row] ?? 0
    const at = row * IDENTITY_SIZE
    for (let column = 0; column < IDENTITY_SIZE; column++) {
      source[column] = (source[column] ?? 0) + share * (emap[at + column] ?? 0)
    }
  }
  return toUnitLength(source)
}

export function toUnitLength(vector: Float32Array): Float32Array {
  let square = 0
  for (const value of vector) square += value * value
  const length = Math.sqrt(square)
  return length > 0 ? vector.map((value) => value / length) : vector.slice()
}
