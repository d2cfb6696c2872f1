import { setImmediate as nextTurn } from 'node:timers/promises'
import { GraphQLInt, GraphQLObjectType, GraphQLSchema, graphql } from 'graphql'
import { expect, test } from 'vitest'
import { declareCost } from '../../../src/graphql/schema/field-cost.ts'
import { createOperationScheduler } from '../../../src/graphql/operation/operation-scheduler.ts'
import { scheduleFields } from '../../../src/graphql/schema/schedule-fields.ts'

const NO_LIMITS = { check: () => ({ weight: 0, nodes: 0, values: 0, introspection: 0 }) }

test('one field with a weight is resolved per turn of the event loop, and all other fields at once', async () => {
  const resolved: string[] = []
  const record = (name: string) => () => resolved.push(name)
  const schema = new GraphQLSchema({
    query: new GraphQLObjectType({
      name: 'Query',
      fields: {
        small: { type: GraphQLInt, resolve: record('small') },
        large: { type: GraphQLInt, resolve: record('large'), extensions: declareCost({ weight: 20 }) },
      },
    }),
  })
  scheduleFields(schema)
  const scheduler = createOperationScheduler(NO_LIMITS)
  const contextValue = { waitForSlot: async () => scheduler.begin('a') }
  const answer = graphql({ schema, source: '{ a: large b: large c: large d: small e: small }', contextValue })
  let large = 0
  for (let waitForSlot = 0; resolved.length < 5; waitForSlot += 1) {
    await nextTurn()
    const now = resolved.filter((name) => name === 'large').length
    // Before the first check two may be resolved: one at once, and one in the turn that ends with the check.
    expect(now - large).toBeLessThanOrEqual(waitForSlot === 0 ? 2 : 1)
    large = now
  }
  expect(resolved.slice(0, 2)).toEqual(['small', 'small'])
  expect((await answer).errors).toBeUndefined()
})
