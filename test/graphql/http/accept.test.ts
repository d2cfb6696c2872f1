import { describe, expect, test } from 'vitest'
import { negotiate } from '../../../src/graphql/http/accept.ts'

const JSON_TYPE = 'application/json'
const GRAPHQL_RESPONSE_TYPE = 'application/graphql-response+json'

describe('the content type of a single response', () => {
  test.each<[string | undefined, string | null]>([
    [undefined, JSON_TYPE],
    ['', JSON_TYPE],
    ['*/*', JSON_TYPE],
    ['application/*', JSON_TYPE],
    ['application/json', JSON_TYPE],
    ['Application/JSON; charset=UTF-8', JSON_TYPE],
    ['application/json; charset="utf-8"', JSON_TYPE],
    ['application/graphql-response+json', GRAPHQL_RESPONSE_TYPE],
    // The headers of Apollo Client, urql, Relay's examples, axios and browsers.
    ['application/graphql-response+json,application/json;q=0.9', GRAPHQL_RESPONSE_TYPE],
    [
      'application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed',
      GRAPHQL_RESPONSE_TYPE,
    ],
    ['multipart/mixed;boundary="graphql";subscriptionSpec=1.0,application/json', JSON_TYPE],
    ['application/json, text/plain, */*', JSON_TYPE],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', JSON_TYPE],
    // Weights decide before the order, and the most specific range decides the weight.
    ['application/json;q=0.5, application/graphql-response+json', GRAPHQL_RESPONSE_TYPE],
    ['application/json; q=0.5 , */*', GRAPHQL_RESPONSE_TYPE],
    ['application/json;q=0, application/*', GRAPHQL_RESPONSE_TYPE],
    ['application/json;q=nonsense', JSON_TYPE],
    ['application/json, application/graphql-response+json', JSON_TYPE],
    // None of these types can be served.
    ['application/json;q=0', null],
    ['application/json;charset=utf-16', null],
    ['application/xml', null],
    ['multipart/mixed', null],
    ['text/event-stream', null],
    ['garbage', null],
    [',;=,', null],
  ])('for accept: %s is %s', (accept, type) => {
    expect(negotiate(accept).type).toBe(type)
    // The second response may come from a cache.
    expect(negotiate(accept).type).toBe(type)
  })
})

describe('a stream', () => {
  test.each([
    ['text/event-stream', true, true],
    ['text/event-stream, multipart/mixed', true, true],
    ['text/event-stream, application/json', true, true],
    ['application/json;q=0.9, text/event-stream', true, true],
    ['application/json, text/event-stream', true, false],
    ['text/event-stream;q=0.5, application/json', true, false],
    ['*/*', true, false],
    [undefined, true, false],
    ['text/*', true, true],
    ['application/json', false, false],
    ['text/event-stream;q=0, */*', false, false],
  ])('for the Accept header %s: is accepted %s, is preferred %s', (accept, takesStream, prefersStream) => {
    expect(negotiate(accept)).toMatchObject({ takesStream, prefersStream })
  })
})

test('a header as long as HTTP allows is parsed in one pass', () => {
  const long = `${'a/b;q=0.1,'.repeat(1_500)}application/json`
  expect(negotiate(long).type).toBe(JSON_TYPE)
})
