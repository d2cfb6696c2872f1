import { buildSchema, isObjectType, Kind, parse } from 'graphql'
import { expect, test } from 'vitest'
import { createCollectFields } from '../../../src/graphql/operation/collect-fields.ts'

const schema = buildSchema(`
  interface Node { id: ID! }
  type Job implements Node { id: ID! status: String }
  type Upload implements Node { id: ID! size: Int }
  union Thing = Job | Upload
  type Query { node: Node thing: Thing }
`)

/** Lists the response names of the selected fields of a Job, with their number of occurrences. */
function collect(selections: string, rest = ''): Record<string, number> {
  const document = parse(`{ node { ${selections} } } ${rest}`)
  const [operation] = document.definitions
  if (operation?.kind !== Kind.OPERATION_DEFINITION) throw new Error('the document begins with an operation')
  const [node] = operation.selectionSet.selections
  const job = schema.getType('Job')
  if (node?.kind !== Kind.FIELD || !node.selectionSet || !isObjectType(job)) throw new Error('it selects a node')
  const fields = createCollectFields(schema, document)(job, [node.selectionSet])
  return Object.fromEntries([...fields].map(([name, nodes]) => [name, nodes.length]))
}

test('fields are collected in order, grouped by response name', () => {
  expect(collect('id status again: status id')).toEqual({ id: 2, status: 1, again: 1 })
})

test('fields of fragments on the type itself, its interfaces and its unions are collected', () => {
  expect(
    collect('... { a: id } ... on Job { b: id } ... on Node { c: id } ... on Thing { ... on Job { d: id } }'),
  ).toEqual({
    a: 1,
    b: 1,
    c: 1,
    d: 1,
  })
})

test('fields of fragments on other types are not collected', () => {
  expect(collect('id ... on Upload { size } ...F', 'fragment F on Upload { size }')).toEqual({ id: 1 })
})

test('a named fragment is collected once, even if it spreads itself', () => {
  expect(collect('...F ...F', 'fragment F on Job { id ...F }')).toEqual({ id: 1 })
})

test('a named fragment that does not exist is ignored', () => {
  expect(collect('id ...Missing')).toEqual({ id: 1 })
})

test('a field that a directive may leave out is collected', () => {
  expect(collect('id @skip(if: true) status @include(if: false)')).toEqual({ id: 1, status: 1 })
})
