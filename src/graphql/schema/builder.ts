import SchemaBuilder from '@pothos/core'
import RelayPlugin from '@pothos/plugin-relay'
import type { Context } from './context.ts'
import { declareCacheable } from './cacheable.ts'
import { countMembers, declareCost } from './field-cost.ts'

/** The schema builder. Global ids are the stored ids, unencoded, because their prefix identifies the type. */
export const builder = new SchemaBuilder<{
  Context: Context
  DefaultFieldNullability: false
  Scalars: {
    /** Epoch milliseconds inside. */
    DateTime: { Input: number; Output: number }
    URL: { Input: string; Output: string }
    ID: { Input: string; Output: string }
    /** A federation router's representation of an entity: `__typename` and the fields of a key. */
    _Any: { Input: unknown; Output: never }
  }
}>({
  plugins: [RelayPlugin],
  defaultFieldNullability: false,
  relay: {
    encodeGlobalID: (_typename, id) => String(id),
    decodeGlobalID: (id) => ({ typename: id.startsWith('img_') ? 'SwapUpload' : 'SwapJob', id }),
    nodeTypeOptions: { description: 'An object that can be queried by its global id.' },
    nodeQueryOptions: {
      description: 'An object by its global id. Null if it does not exist or belongs to another tenant.',
    },
    nodesQueryOptions: {
      description: 'Objects by their global ids, in the order of the ids.',
      extensions: declareCost({
        listSize: { assumedSize: 100 },
        sizeOf: (args) => countMembers(args, 'ids'),
      }),
    },
  },
})

builder.queryType({ extensions: declareCacheable('never') })
builder.mutationType({ extensions: declareCacheable('never') })
builder.subscriptionType({ extensions: declareCacheable('never') })
