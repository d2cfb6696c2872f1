/**
 * Compares the printed schema with the decided contract (`decided.graphql`): names, arguments, nullability, defaults
 * and enum values are equal, except for the additions listed here.
 */
import { readFileSync } from 'node:fs'
import {
  type ConstDirectiveNode,
  type DefinitionNode,
  type InputValueDefinitionNode,
  Kind,
  parse,
  print,
  type TypeNode,
  valueFromASTUntyped,
} from 'graphql'
import { expect, test } from 'vitest'

const ADDED = [
  // Only in the standalone schema: in a supergraph every subgraph would define them.
  'Query.node(id: ID!): Node',
  'Query.nodes(ids: [ID!]!): [Node]!',
  // A code for each cause.
  'SwapInputIssueCode ADDRESS_HAS_BACKSLASH',
  'SwapInputIssueCode ADDRESS_HAS_CONTROL_CHARACTER',
  'SwapInputIssueCode ADDRESS_HAS_CREDENTIALS',
  'SwapInputIssueCode ADDRESS_HAS_SPACE',
  'SwapInputIssueCode DATA_URL_NOT_SUPPORTED',
  'SwapInputIssueCode PORT_NOT_ALLOWED',
  'SwapInputIssueCode SCHEME_NOT_SUPPORTED',
  'SwapInputIssueCode SCHEME_REQUIRED',
]

/** Finer than IMAGE_NOT_READABLE: each cause has its own code. */
const ADDED_FAILURE_CODES = [
  'IMAGE_ACCESS_DENIED',
  'IMAGE_ADDRESS_NOT_ALLOWED',
  'IMAGE_CONNECTION_FAILED',
  'IMAGE_CONNECTION_REFUSED',
  'IMAGE_HOST_FAILED',
  'IMAGE_HOST_NOT_FOUND',
  'IMAGE_NOT_FOUND',
  'IMAGE_TIMED_OUT',
  'IMAGE_TLS_FAILED',
  'IMAGE_TOO_LARGE',
  'IMAGE_TOO_MANY_REDIRECTS',
  'IMAGE_TYPE_NOT_ALLOWED',
].map((code) => `SwapFailureCode ${code}`)

function shapesOf(sdl: string): string[] {
  return parse(sdl).definitions.flatMap(toShapes).toSorted()
}

/** Renders a definition without directives: the printer decides which are needed. */
function toShapes(definition: DefinitionNode): string[] {
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check
  switch (definition.kind) {
    case Kind.SCALAR_TYPE_DEFINITION:
      return [`scalar ${definition.name.value}`]
    case Kind.ENUM_TYPE_DEFINITION:
      return (definition.values ?? []).map(({ name }) => `${definition.name.value} ${name.value}`)
    case Kind.UNION_TYPE_DEFINITION:
      return (definition.types ?? []).map(({ name }) => `${definition.name.value} = ${name.value}`)
    case Kind.INPUT_OBJECT_TYPE_DEFINITION: {
      const name = definition.name.value
      const isOneOf = definition.directives?.some(({ name: { value } }: ConstDirectiveNode) => value === 'oneOf')
      return [
        ...(isOneOf ? [`${name} @oneOf`] : []),
        ...(definition.fields ?? []).map((field) => `${name}.${toArgument(field)}`),
      ]
    }
    case Kind.OBJECT_TYPE_DEFINITION:
    case Kind.INTERFACE_TYPE_DEFINITION: {
      const name = definition.name.value
      return [
        ...(definition.interfaces ?? []).map((one) => `${name} implements ${one.name.value}`),
        ...(definition.fields ?? []).map(({ name: field, arguments: args = [], type }) => {
          const list = args.length === 0 ? '' : `(${args.map(toArgument).toSorted().join(', ')})`
          return `${name}.${field.value}${list}: ${toType(type)}`
        }),
      ]
    }
    default:
      return []
  }
}

function toArgument({ name, type, defaultValue }: InputValueDefinitionNode): string {
  const fallback = defaultValue ? ` = ${JSON.stringify(valueFromASTUntyped(defaultValue))}` : ''
  return `${name.value}: ${toType(type)}${fallback}`
}

function toType(type: TypeNode): string {
  return print(type)
}

const decided = shapesOf(readFileSync('test/contract/decided.graphql', 'utf8'))
const printed = shapesOf(readFileSync('schema/schema.graphql', 'utf8'))

test('the schema has every type and field of the decided contract', () => {
  expect(decided.filter((shape) => !printed.includes(shape))).toEqual([])
})

test('the schema has no type or field beyond the decided contract and the listed additions', () => {
  const added = printed.filter((shape) => !decided.includes(shape))
  expect(added.toSorted()).toEqual([...ADDED, ...ADDED_FAILURE_CODES].toSorted())
})

test('the comparison of schemas detects changes of fields, arguments, enums, unions and directives', () => {
  expect(decided.length).toBeGreaterThan(200)
  expect(shapesOf('type A { b(c: Int = 1): D! } input I @oneOf { x: Int } enum E { F } union U = A | B')).toEqual([
    'A.b(c: Int = 1): D!',
    'E F',
    'I @oneOf',
    'I.x: Int',
    'U = A',
    'U = B',
  ])
})
