import { isIntrospectionType, isObjectType } from 'graphql'
import { expect, test } from 'vitest'
import { readCacheable } from '../../../src/graphql/schema/cacheable.ts'
import { createSchema } from '../../../src/graphql/schema/schema.ts'

const objectTypes = Object.values(createSchema().getTypeMap()).filter(
  (type) => isObjectType(type) && !isIntrospectionType(type),
)

test('every field declares what its value depends on', () => {
  const undeclared = objectTypes.flatMap((type) =>
    isObjectType(type) ? Object.keys(type.getFields()).filter((field) => readCacheable(type, field) === null) : [],
  )
  expect(objectTypes.length).toBeGreaterThan(30)
  expect(undeclared).toEqual([])
})

test('no field of a mutation or a subscription is cacheable', () => {
  const cacheable = objectTypes.flatMap((type) =>
    isObjectType(type) && ['Mutation', 'Subscription'].includes(type.name)
      ? Object.keys(type.getFields()).filter((field) => readCacheable(type, field) !== 'never')
      : [],
  )
  expect(cacheable).toEqual([])
})
