/**
 * Declares what a field costs, next to the field (`extensions: { cost }`). The declarations are enforced before an
 * operation runs (`operation-cost.ts`) and published in the SDL as `@cost` and `@listSize`.
 * https://ibm.github.io/graphql-specs/cost-spec.html
 * https://www.apollographql.com/docs/graphos/routing/security/demand-control
 */
import type { GraphQLField } from 'graphql'

export type FieldArguments = Readonly<Record<string, unknown>>

export interface ListSize {
  /** Number of members if the arguments do not set it. */
  readonly assumedSize: number
  /** Arguments that set the number of members. */
  readonly slicingArguments?: readonly string[]
}

export interface FieldCost {
  /** `@cost(weight:)`: what the field costs by itself. */
  readonly weight?: number
  readonly listSize?: ListSize
  /** The number of members for given arguments, if `slicingArguments` cannot express it; null if they do not set it. */
  readonly sizeOf?: (args: FieldArguments) => number | null
  /** The lists in the field's value that have this size, instead of the field itself. */
  readonly sizedFields?: readonly string[]
  /**
   * Nodes that one value of the field counts as. Default: 1 if its type is a node, else 0. Payloads and connections set
   * 0 for nodes that the parent field has already counted.
   */
  readonly nodes?: 'size' | 0 | 1
}

/** For the `extensions` of a field. */
export function declareCost(cost: FieldCost): { readonly cost: FieldCost } {
  return { cost }
}

const NO_COST: FieldCost = {}

/** The weight of a field that reads a list, counts, or sums: ten of them use up the budget of a request. */
export const SCAN_WEIGHT = 20

export function readFieldCost(field: GraphQLField<unknown, unknown>): FieldCost {
  const { cost } = field.extensions
  // Only `declareCost` sets this extension.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return (cost as FieldCost | undefined) ?? NO_COST
}

/** The number of members of a list argument at `path`; null if there is none. */
export function countMembers(args: FieldArguments, ...path: readonly string[]): number | null {
  let value: unknown = args
  for (const name of path) value = typeof value === 'object' && value !== null ? Reflect.get(value, name) : null
  return Array.isArray(value) ? value.length : null
}
