import { Kind, parse } from 'graphql'
import { expect, test } from 'vitest'
import { containsKind } from '../../../src/graphql/operation/contains-kind.ts'

test('a document contains exactly the kinds of its nodes, itself included', () => {
  const document = parse('query ($id: ID!) { node(id: $id) { id @skip(if: true) } }')
  for (const kind of [Kind.DOCUMENT, Kind.VARIABLE, Kind.DIRECTIVE, Kind.BOOLEAN]) {
    expect(containsKind(document, kind), kind).toBe(true)
  }
  for (const kind of [Kind.FRAGMENT_SPREAD, Kind.LIST]) expect(containsKind(document, kind), kind).toBe(false)
})
