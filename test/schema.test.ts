import { readFileSync } from 'node:fs'
import { buildSchema, isInputObjectType, parse } from 'graphql'
import { expect, test } from 'vitest'
import { printStandaloneSdl, printSubgraphSdl } from '../src/graphql/schema.ts'

test('the published schema is what the code prints', () => {
  expect(readFileSync('schema/schema.graphql', 'utf8'), 'run `npm run codegen`').toBe(printStandaloneSdl())
  expect(readFileSync('schema/subgraph.graphql', 'utf8'), 'run `npm run codegen`').toBe(printSubgraphSdl())
})

test('both parse, and the one-of is declared as one', () => {
  parse(printSubgraphSdl())
  const image = buildSchema(printStandaloneSdl()).getType('SwapImageInput')
  expect(isInputObjectType(image) && image.isOneOf).toBe(true)
})
