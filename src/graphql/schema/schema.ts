/** The served schema: the whole graph, with the two root fields of a federation subgraph. */
import type { GraphQLSchema } from 'graphql'
import { builder } from './builder.ts'
import { limitLists } from './limit-lists.ts'
import { scheduleFields } from './schedule-fields.ts'
import { limitMutations } from './limit-mutations.ts'
import './types/scalars.ts'
import './types/swap-job.ts'
import './types/errors.ts'
import './types/create-upload.ts'
import './types/create-swap.ts'
import './types/entities.ts'
import './types/forget-swaps.ts'
import './types/list-swaps.ts'
import './types/manage-swaps.ts'
import './types/swap-hook.ts'
import './types/usage.ts'
import './types/read-swap.ts'
import './types/watch-swaps.ts'

export function createSchema(): GraphQLSchema {
  const schema = builder.toSchema({ sortSchema: false })
  scheduleFields(schema)
  limitLists(schema)
  limitMutations(schema)
  return schema
}
