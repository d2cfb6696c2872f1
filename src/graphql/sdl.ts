/**
 * Prints the two published forms of the served schema. Both leave out the federation machinery (`_entities`, `_service`
 * and their types). The subgraph's form adds the directives in a type's `federation` extension, and leaves out `node`
 * and `nodes`, because every subgraph of a supergraph would claim them.
 */
import {
  buildASTSchema,
  type ConstDirectiveNode,
  type DefinitionNode,
  type GraphQLSchema,
  Kind,
  lexicographicSortSchema,
  type ObjectTypeDefinitionNode,
  parse,
  print,
  printSchema,
} from 'graphql'

const LINK = '@link(url: "https://specs.apollo.dev/federation/v2.6", import: ["@key", "@shareable"])'

const FEDERATION_TYPES: ReadonlySet<string> = new Set(['_Any', '_Entity', '_Service'])
const FEDERATION_FIELDS: ReadonlySet<string> = new Set(['_entities', '_service'])
const STANDALONE_FIELDS: ReadonlySet<string> = new Set(['node', 'nodes'])

/** The SDL for clients that talk to this gateway alone. */
export function printStandaloneSdl(schema: GraphQLSchema): string {
  return `${printSchema(buildASTSchema({ kind: Kind.DOCUMENT, definitions: listDefinitions(schema) }))}\n`
}

/** The SDL to compose into a supergraph, which `_service` answers too. */
export function printSubgraphSdl(schema: GraphQLSchema): string {
  const definitions = listDefinitions(schema).map((definition) => {
    if (definition.kind === Kind.OBJECT_TYPE_DEFINITION) {
      const { federation } = schema.getType(definition.name.value)?.extensions ?? {}
      return { ...withoutFields(definition, STANDALONE_FIELDS), directives: parseDirectives(federation) }
    }
    // `@oneOf` is no federation directive: composers refuse it, and the gateway enforces it anyway.
    if (definition.kind === Kind.INPUT_OBJECT_TYPE_DEFINITION) return { ...definition, directives: [] }
    return definition
  })
  return `extend schema ${LINK}\n\n${print({ kind: Kind.DOCUMENT, definitions })}\n`
}

function listDefinitions(schema: GraphQLSchema): readonly DefinitionNode[] {
  const { definitions } = parse(printSchema(lexicographicSortSchema(schema)))
  return definitions
    .filter((definition) => !('name' in definition && FEDERATION_TYPES.has(definition.name?.value ?? '')))
    .map((definition) =>
      definition.kind === Kind.OBJECT_TYPE_DEFINITION ? withoutFields(definition, FEDERATION_FIELDS) : definition,
    )
}

function withoutFields(type: ObjectTypeDefinitionNode, names: ReadonlySet<string>): ObjectTypeDefinitionNode {
  return type.name.value === 'Query'
    ? { ...type, fields: type.fields?.filter(({ name }) => !names.has(name.value)) ?? [] }
    : type
}

function parseDirectives(text: unknown): readonly ConstDirectiveNode[] {
  if (typeof text !== 'string') return []
  const [definition] = parse(`scalar Carrier ${text}`).definitions
  return definition?.kind === Kind.SCALAR_TYPE_DEFINITION ? (definition.directives ?? []) : []
}
