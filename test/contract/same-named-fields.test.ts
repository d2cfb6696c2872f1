/**
 * Fields of one name in the members of one union or interface have one type. If they differ, even only in a `!`, a
 * document that selects the field on two members is invalid, and every client needs aliases.
 */
import { readFileSync } from 'node:fs'
import { buildSchema, type GraphQLAbstractType, type GraphQLSchema, isAbstractType } from 'graphql'
import { expect, test } from 'vitest'
import { openTestApp } from '../support/test-app.ts'

/** Only `node` and `nodes` return both jobs and uploads, whose states differ. */
const EXCEPTED = ['Node.purgeAt', 'Node.status']

/** Lists `Type.field` for each field that has more than one type among the members. */
function findConflicts(schema: GraphQLSchema, type: GraphQLAbstractType): string[] {
  const types = new Map<string, Set<string>>()
  for (const member of schema.getPossibleTypes(type)) {
    for (const field of Object.values(member.getFields())) {
      types.set(field.name, (types.get(field.name) ?? new Set()).add(String(field.type)))
    }
  }
  return [...types].flatMap(([name, found]) => (found.size > 1 ? [`${type.name}.${name}`] : []))
}

function findAllConflicts(sdl: string): string[] {
  const schema = buildSchema(sdl)
  const abstract = Object.values(schema.getTypeMap()).filter(isAbstractType)
  return abstract.flatMap((type) => findConflicts(schema, type)).toSorted()
}

test('fields of one name have one type in all members of a union or an interface', () => {
  expect(findAllConflicts(readFileSync('schema/schema.graphql', 'utf8'))).toEqual(EXCEPTED)
})

test('the check finds a field whose type differs only in nullability', () => {
  const sdl = 'type Query { u: U } union U = A | B type A { x: Int! y: Int } type B { x: Int y: Int z: Int }'
  expect(findAllConflicts(sdl)).toEqual(['U.x'])
})

test('one document can select job and resetAt on every member that has them', async () => {
  const { graphql } = await openTestApp()
  const { data, errors } = await graphql(
    `
      mutation ($input: CreateSwapInput!) {
        createSwap(input: $input) {
          ... on CreateSwapSuccess {
            job {
              id
            }
          }
          ... on SwapIdempotencyConflictError {
            job {
              id
            }
          }
          ... on SwapUpstreamError {
            job {
              id
            }
          }
          ... on SwapStateError {
            job {
              id
            }
          }
          ... on SwapQuotaExceededError {
            resetAt
          }
          ... on SwapRateLimitedError {
            resetAt
          }
        }
      }
    `,
    { input: { targetImage: { url: 'https://example.com/t.jpg' }, swapImage: { url: 'https://example.com/f.jpg' } } },
  )
  expect([errors, data]).toEqual([undefined, { createSwap: { job: { id: expect.stringMatching(/^job_/) } } }])
})
