/** Resolves each field with a `@cost` in a slot of the caller's tenant, at most one per turn of the event loop. */
import { defaultFieldResolver, type GraphQLSchema, isObjectType } from 'graphql'
import type { Context } from './context.ts'
import { readFieldCost } from './field-cost.ts'

export function scheduleFields(schema: GraphQLSchema): void {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type)) continue
    for (const field of Object.values(type.getFields())) {
      if (readFieldCost(field).weight === undefined) continue
      const { resolve = defaultFieldResolver } = field
      field.resolve = async (source, args, context: Context, info) => {
        await context.waitForSlot()
        return resolve(source, args, context, info)
      }
    }
  }
}
