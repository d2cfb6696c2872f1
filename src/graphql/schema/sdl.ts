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
  isObjectType,
  Kind,
  lexicographicSortSchema,
  type ObjectTypeDefinitionNode,
  parse,
  print,
  printSchema,
} from 'graphql'
import { readFieldCost } from './field-cost.ts'

/** The first version with `@cost` and `@listSize`. */
const LINK =
  '@link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable", "@cost", "@listSize"])'

/** As federation defines them, for clients that read the schema on its own. */
const COST_DIRECTIVES = `
directive @cost(weight: Int!) on ARGUMENT_DEFINITION | ENUM | FIELD_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT | SCALAR

directive @listSize(assumedSize: Int, slicingArguments: [String!], sizedFields: [String!], requireOneSlicingArgument: Boolean = true) on FIELD_DEFINITION
`

const FEDERATION_TYPES: ReadonlySet<string> = new Set(['_Any', '_Entity', '_Service'])
const FEDERATION_FIELDS: ReadonlySet<string> = new Set(['_entities', '_service'])
const STANDALONE_FIELDS: ReadonlySet<string> = new Set(['node', 'nodes'])

/** The SDL for clients that talk to this gateway alone. */
export function printStandaloneSdl(schema: GraphQLSchema): string {
  const { definitions: directives } = parse(COST_DIRECTIVES)
  const plain = buildASTSchema({ kind: Kind.DOCUMENT, definitions: [...directives, ...listDefinitions(schema)] })
  return `${insertCosts(schema, printSchema(plain))}\n`
}

/** The SDL to compose into a supergraph, which `_service` also returns. */
export function printSubgraphSdl(schema: GraphQLSchema): string {
  const definitions = listDefinitions(schema).map((definition) => {
    if (definition.kind === Kind.OBJECT_TYPE_DEFINITION) {
      const { federation } = schema.getType(definition.name.value)?.extensions ?? {}
      return { ...withoutFields(definition, STANDALONE_FIELDS), directives: parseDirectives(federation) }
    }
    // `@oneOf` is not a federation directive: composers reject it, and the gateway enforces it anyway.
    if (definition.kind === Kind.INPUT_OBJECT_TYPE_DEFINITION) return { ...definition, directives: [] }
    return definition
  })
  return `extend schema ${LINK}\n\n${insertCosts(schema, print({ kind: Kind.DOCUMENT, definitions }))}\n`
}

function listDefinitions(schema: GraphQLSchema): readonly DefinitionNode[] {
  const { definitions } = parse(printSchema(lexicographicSortSchema(schema)))
  return definitions
    .filter((definition) => !('name' in definition && FEDERATION_TYPES.has(definition.name?.value ?? '')))
    .map((definition) =>
      definition.kind === Kind.OBJECT_TYPE_DEFINITION ? withoutFields(definition, FEDERATION_FIELDS) : definition,
    )
}

/** Inserts `@cost` and `@listSize` into the text, because `printSchema` omits applied directives. */
function insertCosts(schema: GraphQLSchema, text: string): string {
  const inserts = parse(text).definitions.flatMap((definition) =>
    definition.kind === Kind.OBJECT_TYPE_DEFINITION
      ? (definition.fields ?? []).flatMap(({ name, loc }) => {
          const cost = printCost(schema, definition.name.value, name.value)
          return cost === '' || !loc ? [] : [{ at: loc.end, cost }]
        })
      : [],
  )
  return inserts.toReversed().reduce((rest, { at, cost }) => `${rest.slice(0, at)} ${cost}${rest.slice(at)}`, text)
}

function printCost(schema: GraphQLSchema, typeName: string, fieldName: string): string {
  const type = schema.getType(typeName)
  const field = isObjectType(type) ? type.getFields()[fieldName] : undefined
  if (!field) return ''
  const { weight, listSize, sizedFields = [] } = readFieldCost(field)
  const { assumedSize, slicingArguments = [] } = listSize ?? {}
  const size = [
    `assumedSize: ${assumedSize}`,
    ...(slicingArguments.length > 0
      ? [
          `slicingArguments: ${printNames(slicingArguments)}`,
          `sizedFields: ${printNames(sizedFields)}`,
          'requireOneSlicingArgument: false',
        ]
      : []),
  ]
  return [
    ...(weight === undefined ? [] : [`@cost(weight: ${weight})`]),
    ...(listSize ? [`@listSize(${size.join(', ')})`] : []),
  ].join(' ')
}

function withoutFields(type: ObjectTypeDefinitionNode, names: ReadonlySet<string>): ObjectTypeDefinitionNode {
  return type.name.value === 'Query'
    ? { ...type, fields: type.fields?.filter(({ name }) => !names.has(name.value)) ?? [] }
    : type
}

function printNames(names: readonly string[]): string {
  return `[${names.map((name) => JSON.stringify(name)).join(', ')}]`
}

function parseDirectives(text: unknown): readonly ConstDirectiveNode[] {
  if (typeof text !== 'string' || text === '') return []
  const [definition] = parse(`scalar Carrier ${text}`).definitions
  return definition?.kind === Kind.SCALAR_TYPE_DEFINITION ? (definition.directives ?? []) : []
}
