import type { GraphQLFieldResolver, GraphQLSchema } from 'graphql'
import { GatewayError } from '../../domain/errors.ts'
import type { Context } from './context.ts'

/** Maximum members of a list argument; more than a router's batch of representations or a page of ids needs. */
const MAX_MEMBERS = 200

/** Refuses longer lists in the arguments of every root field, before its resolver runs. */
export function limitLists(schema: GraphQLSchema): void {
  for (const type of [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]) {
    for (const field of Object.values(type?.getFields() ?? {})) {
      if (field.args.length === 0) continue
      if (field.subscribe) field.subscribe = checked(field.subscribe)
      else if (field.resolve) field.resolve = checked(field.resolve)
    }
  }
}

type Resolver = GraphQLFieldResolver<unknown, Context>

function checked(resolve: Resolver): Resolver {
  return (root, args, context, info) => {
    checkLists(args)
    return resolve(root, args, context, info)
  }
}

function checkLists(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  if (Array.isArray(value) && value.length > MAX_MEMBERS) {
    throw new GatewayError('INVALID_INPUT', `A list may have at most ${MAX_MEMBERS} members.`)
  }
  for (const member of Object.values(value)) checkLists(member)
}
