import { brandWithType } from '@pothos/core'

/**
 * A loaded object that says which type of node it is, from the moment that anybody has it: Pothos says so once all of a
 * list are loaded, and `node` beside `nodes` may have one of them before that.
 */
export function branded<T>(type: 'SwapJob' | 'SwapUpload', value: T): T {
  // Pothos itself brands by names, which its signature does not know.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  brandWithType(value, type as never)
  return value
}
