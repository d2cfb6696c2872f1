import { readFileSync } from 'node:fs'
import { composeServices } from '@theguild/federation-composition'
import { parse } from 'graphql'
import { expect, test } from 'vitest'
import { openTestApp } from '../support/test-app.ts'

const SUBGRAPH = readFileSync('schema/subgraph.graphql', 'utf8')

/** Another team's subgraph: it extends the job, and has its own `Node` and `node`. */
const NOTES = /* GraphQL */ `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.6", import: ["@key", "@shareable"])

  interface Node {
    id: ID!
  }

  type Note implements Node @key(fields: "id") {
    id: ID!
    text: String!
  }

  type SwapJob @key(fields: "id") {
    id: ID!
    notes: [Note!]!
  }

  type Query {
    node(id: ID!): Node
    notes: [Note!]!
  }
`

test('the schema composes with a subgraph that extends SwapJob without an error', () => {
  const composed = composeServices([
    { name: 'swapface', typeDefs: parse(SUBGRAPH), url: 'http://127.0.0.1:4000/graphql' },
    { name: 'notes', typeDefs: parse(NOTES), url: 'http://127.0.0.1:4001/graphql' },
  ])
  expect(composed.errors ?? []).toEqual([])
  expect(composed.supergraphSdl).toContain('swapJobUpdated')
  expect(composed.supergraphSdl).toMatch(/type SwapJob[^{]*@join__type\(graph: NOTES, key: "id"\)/)
})

test('the subgraph and the served schema omit `node` and `nodes`, which other subgraphs may define', async () => {
  const { graphql } = await openTestApp()
  const { data } = await graphql('{ _service { sdl } }')
  expect(data._service.sdl).toBe(SUBGRAPH)
  expect(SUBGRAPH).not.toMatch(/\bnodes?\(/)
  expect(SUBGRAPH).toMatch(/type SwapJob implements Node\s+@key\(fields: "id"\)/)
})
