/**
 * The schema, assembled once. The same Pothos types make three things: what is served, the standalone SDL, and the
 * SDL of the federation subgraph. `node` and `nodes` stand in the first two only: in a supergraph they would be
 * claimed by every subgraph.
 */
import { type GraphQLSchema, lexicographicSortSchema, parse, print, printSchema, visit } from 'graphql'
import { builder } from './builder.ts'
import { limitLists } from './limit-lists.ts'
import './types/scalars.ts'
import './types/swap-job.ts'
import './types/errors.ts'
import './types/create-upload.ts'
import './types/create-swap.ts'
import './types/forget-swaps.ts'
import './types/list-swaps.ts'
import './types/manage-swaps.ts'
import './types/swap-hook.ts'
import './types/usage.ts'
import './types/read-swap.ts'
import './types/watch-swaps.ts'
import { printSubgraphSchema } from '@apollo/subgraph'

const STANDALONE_QUERIES: ReadonlySet<string> = new Set(['node', 'nodes'])

/** What is served: the whole graph, with `_service` and `_entities` for a supergraph's router. */
export function createSchema(): GraphQLSchema {
  const schema = builder.toSubGraphSchema({})
  const service = schema.getQueryType()?.getFields()['_service']
  if (!service) throw new TypeError('the subgraph schema has no _service field')
  const sdl = printSubgraph(schema)
  service.resolve = () => ({ sdl })
  limitLists(schema)
  return schema
}

/** The SDL for those who talk to this gateway alone. */
export function printStandaloneSdl(): string {
  return `${printSchema(lexicographicSortSchema(builder.toSchema({})))}\n`
}

/** The SDL for a supergraph: what `_service` answers, too. */
export function printSubgraphSdl(): string {
  return printSubgraph(builder.toSubGraphSchema({}))
}

function printSubgraph(schema: GraphQLSchema): string {
  const document = visit(parse(printSubgraphSchema(schema)), {
    ObjectTypeDefinition: (type) =>
      type.name.value === 'Query'
        ? { ...type, fields: (type.fields ?? []).filter(({ name }) => !STANDALONE_QUERIES.has(name.value)) }
        : undefined,
  })
  return `${print(document)}\n`
}
