/** Introspection as tools send it, within the limits of any other document. */
import { readFileSync } from 'node:fs'
import { buildClientSchema, buildSchema, getIntrospectionQuery, type IntrospectionQuery } from 'graphql'
import { describe, expect, test } from 'vitest'
import { openTestApp } from '../support/test-app.ts'

const published = buildSchema(readFileSync('schema/schema.graphql', 'utf8'))
const ON = { settings: { INTROSPECTION: 'on' } }

function expectWholeSchema(data: IntrospectionQuery): void {
  const types = Object.keys(buildClientSchema(data).getTypeMap())
  expect(types).toEqual(expect.arrayContaining(Object.keys(published.getTypeMap())))
}

const OPTIONS = [
  'descriptions',
  'specifiedByUrl',
  'directiveIsRepeatable',
  'schemaDescription',
  'inputValueDeprecation',
  'oneOf',
] as const

test('the introspection query of graphql-js gets the schema with every combination of its options', async () => {
  const { graphql } = await openTestApp(ON)
  for (let bits = 0; bits < 2 ** OPTIONS.length; bits += 1) {
    const options = Object.fromEntries(OPTIONS.map((name, n) => [name, (bits & (1 << n)) !== 0]))
    const { data, errors } = await graphql(getIntrospectionQuery(options))
    expect(errors, JSON.stringify(options)).toBeUndefined()
    const [{ types }] = Object.values<{ types: readonly { name: string }[] }>(data) as [
      { types: readonly { name: string }[] },
    ]
    expect(types.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(published.getTypeMap())))
  }
})

const nestOfType = (levels: number): string =>
  levels === 0 ? 'kind name' : `kind name ofType { ${nestOfType(levels - 1)} }`

/** Fragments as in the first introspection queries, which API tools still send. */
const FRAGMENTS = (typeRef: string) => `
  query IntrospectionQuery { __schema { queryType { name } mutationType { name } subscriptionType { name }
    types { ...FullType } directives { name description locations args { ...InputValue } } } }
  fragment FullType on __Type { kind name description
    fields(includeDeprecated: true) { name description args { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason }
    inputFields { ...InputValue } interfaces { ...TypeRef }
    enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } }
  fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue }
  fragment TypeRef on __Type { ${typeRef} }`

const ONE_FRAGMENT_LESS = `query { __schema { queryType { name } mutationType { name } subscriptionType { name } directives { name locations args { name type { ${nestOfType(9)} } } }
  types { kind name description specifiedByURL isOneOf
    fields(includeDeprecated: true) { name args(includeDeprecated: true) { name type { ${nestOfType(9)} } defaultValue } type { ${nestOfType(9)} } isDeprecated }
    inputFields(includeDeprecated: true) { name type { ${nestOfType(9)} } defaultValue } interfaces { name kind }
    enumValues(includeDeprecated: true) { name isDeprecated } possibleTypes { name kind } } } }`

test.each([
  ['three levels of ofType', FRAGMENTS(nestOfType(3))],
  ['seven levels of ofType', FRAGMENTS(nestOfType(7))],
  ['nine levels of ofType', FRAGMENTS(nestOfType(9))],
  ['twenty levels of ofType', FRAGMENTS(nestOfType(20))],
  ['no fragments', ONE_FRAGMENT_LESS],
])('an introspection query with %s gets the schema', async (_what, query) => {
  const { graphql } = await openTestApp(ON)
  const { data, errors } = await graphql(query)
  expect(errors).toBeUndefined()
  expectWholeSchema(data)
})

test.each([
  [
    'which features introspection has, as typed clients ask first',
    `query IntrospectSupportQuery { directive: __type(name: "__Directive") { fields { name } }
      field: __type(name: "__Field") { fields { name args { name } } } type: __type(name: "__Type") { fields { name } }
      inputValue: __type(name: "__InputValue") { fields { name } } }`,
  ],
  [
    'one type with the types of its fields, as editors do',
    '{ __type(name: "SwapJob") { name fields { name type { name kind ofType { name kind fields { name type { name kind ofType { name } } } } } } } }',
  ],
  ['the SDL of the subgraph, as routers and registries do', 'query SubgraphIntrospectQuery { _service { sdl } }'],
])('a query may select %s', async (_what, query) => {
  const { graphql } = await openTestApp(ON)
  const { data, errors } = await graphql(query)
  expect(errors).toBeUndefined()
  expect(Object.values(data)).not.toContain(null)
})

describe('an expensive introspection query', () => {
  test.each([
    [
      'lists nested in lists',
      '{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }',
      /Maximum introspection depth exceeded/,
    ],
    [
      'lists nested in lists through fragments',
      `{ __schema { types { ...A } } } fragment A on __Type { fields { type { ...B } } }
       fragment B on __Type { fields { type { ...C } } } fragment C on __Type { fields { name } }`,
      /Maximum introspection depth exceeded/,
    ],
    ['101 aliases', `{ ${Array.from({ length: 101 }, (_u, n) => `a${n}: __typename`).join(' ')} }`, /100 aliases/],
    ['more than 2,000 tokens', FRAGMENTS(nestOfType(700)), /2000 tokens/],
    [
      'more than 5,000 fields, doubled by fragments',
      `{ __schema { queryType { ...F0 } } } ${Array.from({ length: 13 }, (_u, n) => `fragment F${n} on __Type { a: ofType { ...F${n + 1} } b: ofType { ...F${n + 1} } }`).join(' ')} fragment F13 on __Type { name }`,
      /more than/,
    ],
  ])('with %s is refused', async (_what, query, message) => {
    const { graphql } = await openTestApp(ON)
    const { data, errors } = await graphql(query)
    expect(data).toBeUndefined()
    expect(errors?.[0]?.message).toMatch(message)
  })
})

test('the refusal of disabled introspection names the setting, for every form of query', async () => {
  const { graphql } = await openTestApp({ settings: { INTROSPECTION: 'off' } })
  for (const query of [getIntrospectionQuery(), '{ __type(name: "Query") { name } }', '{ _service { sdl } }']) {
    const { data, errors } = await graphql(query)
    expect(data).toBeUndefined()
    expect(errors?.map(({ message }) => message)).toEqual([
      'Introspection is disabled. Set INTROSPECTION=on to enable it.',
    ])
  }
})
