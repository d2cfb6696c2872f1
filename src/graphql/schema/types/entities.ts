/**
 * The two root fields of a federation subgraph: `_entities`, with which a router fetches objects that other subgraphs
 * refer to, and `_service`, which returns the SDL to compose.
 * https://www.apollographql.com/docs/graphos/schema-design/federated-schemas/reference/subgraph-spec
 */
import type { GraphQLSchema } from 'graphql'
import { GatewayError } from '../../../domain/errors.ts'
import type { StoredImage } from '../../../domain/image.ts'
import type { SwapJob } from '../../../domain/swap-job.ts'
import { branded } from '../branded.ts'
import { builder } from '../builder.ts'
import { declareCacheable } from '../cacheable.ts'
import type { Context } from '../context.ts'
import { countMembers, declareCost } from '../field-cost.ts'
import { printSubgraphSdl } from '../sdl.ts'
import { SwapJobType } from './swap-job.ts'
import { SwapUploadType } from './upload.ts'

type EntityName = 'SwapJob' | 'SwapUpload'

/** Finds an entity of each type with a `@key`; every key is an `id`. */
const FIND_ENTITY: Readonly<
  Record<EntityName, (id: string, context: Context) => Promise<SwapJob | StoredImage | null>>
> = {
  SwapJob: async (id, { loaders }) => loaders.job.load(id),
  SwapUpload: async (id, { loaders }) => loaders.upload.load(id),
}

builder.scalarType('_Any', {
  serialize: () => {
    throw new TypeError('_Any is an input type.')
  },
})

const Entity = builder.unionType('_Entity', { types: [SwapJobType, SwapUploadType] })

builder.queryField('_entities', (t) =>
  t.field({
    type: [Entity],
    nullable: { list: false, items: true },
    extensions: declareCost({ sizeOf: (args) => countMembers(args, 'representations') }),
    args: { representations: t.arg({ type: ['_Any'], required: true }) },
    // A list of promises, so that a bad representation does not fail the rest.
    resolve: (_root, { representations }, context) =>
      representations.map(async (representation) => findEntity(representation, context)),
  }),
)

async function findEntity(representation: unknown, context: Context) {
  const { __typename: name, id } = isRecord(representation) ? representation : {}
  if (!isEntityName(name)) {
    const names = Object.keys(FIND_ENTITY).join(' or ')
    throw new GatewayError('INVALID_INPUT', `The __typename of a representation must be ${names}.`)
  }
  if (typeof id !== 'string') throw new GatewayError('INVALID_INPUT', `A representation of ${name} must have an id.`)
  return branded(name, await FIND_ENTITY[name](id, context))
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function isEntityName(value: unknown): value is EntityName {
  return typeof value === 'string' && Object.hasOwn(FIND_ENTITY, value)
}

/** SDL by schema, printed once: one operation may request it under many aliases. */
const printed = new WeakMap<GraphQLSchema, string>()

function readSubgraphSdl(schema: GraphQLSchema): string {
  const sdl = printed.get(schema) ?? printSubgraphSdl(schema)
  printed.set(schema, sdl)
  return sdl
}

const Service = builder.objectRef<GraphQLSchema>('_Service').implement({
  extensions: declareCacheable('never'),
  fields: (t) => ({ sdl: t.string({ resolve: readSubgraphSdl }) }),
})

builder.queryField('_service', (t) =>
  t.field({ type: Service, resolve: (_root, _args, _context, { schema }) => schema }),
)
