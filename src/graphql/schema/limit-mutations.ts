import {
  type GraphQLFieldResolver,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  isUnionType,
} from 'graphql'
import { requireAllowance } from './caller.ts'
import type { Context } from './context.ts'
import { SwapRateLimitedError, toRateLimited } from './types/errors.ts'

type Resolver = GraphQLFieldResolver<unknown, Context>

/**
 * Refuses every mutation of a caller whose requests are used up, before anything is done: with the result's own
 * `SwapRateLimitedError` if it has one, and otherwise with an error of code RATE_LIMITED.
 */
export function limitMutations(schema: GraphQLSchema): void {
  for (const field of Object.values(schema.getMutationType()?.getFields() ?? {})) {
    if (field.resolve) field.resolve = limited(field.resolve, hasRateLimitedError(field.type))
  }
}

function limited(resolve: Resolver, hasOwnError: boolean): Resolver {
  return (root, args, context, info) => {
    const { allowance, useCases } = context
    if (hasOwnError && allowance.isSpent) return toRateLimited(allowance, useCases.now())
    requireAllowance(context)
    return resolve(root, args, context, info)
  }
}

function hasRateLimitedError(type: GraphQLOutputType): boolean {
  const result = getNamedType(type)
  return isUnionType(result) && result.getTypes().some(({ name }) => name === SwapRateLimitedError.name)
}
