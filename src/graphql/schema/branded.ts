import { brandWithType } from '@pothos/core'

/**
 * Marks an object with its GraphQL type as soon as it is loaded. Pothos marks the objects of `nodes` only when all are
 * loaded, and `node` in the same operation may return one of them earlier.
 */
export function branded<T>(type: 'SwapJob' | 'SwapUpload', value: T): T {
  // Pothos accepts the name of a type, but its signature does not.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  brandWithType(value, type as never)
  return value
}
