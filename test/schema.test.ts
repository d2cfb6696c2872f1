import { readFileSync } from 'node:fs'
import { buildSchema, isInputObjectType, parse } from 'graphql'
import { expect, test } from 'vitest'
import { createSchema } from '../src/graphql/schema/schema.ts'
import { printStandaloneSdl, printSubgraphSdl } from '../src/graphql/schema/sdl.ts'

const schema = createSchema()

test('the published schema is what the code prints', () => {
  expect(readFileSync('schema/schema.graphql', 'utf8'), 'run `npm run codegen`').toBe(printStandaloneSdl(schema))
  expect(readFileSync('schema/subgraph.graphql', 'utf8'), 'run `npm run codegen`').toBe(printSubgraphSdl(schema))
})

test('both published schemas parse, and the one-of input is declared as one', () => {
  parse(printSubgraphSdl(schema))
  const image = buildSchema(printStandaloneSdl(schema)).getType('SwapImageInput')
  expect(isInputObjectType(image) && image.isOneOf).toBe(true)
})
