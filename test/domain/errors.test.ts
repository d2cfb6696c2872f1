import { expect, test } from 'vitest'
import { GatewayError, toHttpStatus } from '../../src/domain/errors.ts'

test.each([
  ['INVALID_INPUT', 400],
  ['FORBIDDEN', 403],
  ['NOT_FOUND', 404],
  ['RATE_LIMITED', 429],
  ['UNAVAILABLE', 503],
] as const)('a failed call with the code %s has the HTTP status %i', (code, status) => {
  expect(toHttpStatus(code)).toBe(status)
})

test('a failed call carries its code, its message and its cause', () => {
  const cause = new Error('disk full')
  const error = new GatewayError('UNAVAILABLE', 'The swap was not recorded.', { cause })
  expect([error.name, error.code, error.message, error.cause]).toEqual([
    'GatewayError',
    'UNAVAILABLE',
    'The swap was not recorded.',
    cause,
  ])
})
