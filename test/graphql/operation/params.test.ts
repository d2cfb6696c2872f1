import { describe, expect, test } from 'vitest'
import { parseBody, parseQuery, toParams } from '../../../src/graphql/operation/params.ts'

const NOTHING = { documentId: null, persistedQueryHash: null, operationName: null, variables: null }
const parse = (text: string) => parseBody(Buffer.from(text))

describe('the parameters of a request', () => {
  test('are read from a JSON body, with null for what is absent or null', () => {
    expect(parse('{"query":"{ a }"}')).toEqual({ query: '{ a }', ...NOTHING })
    expect(parse('{"query":"{ a }","variables":null,"operationName":null,"other":1}')).toEqual({
      query: '{ a }',
      ...NOTHING,
    })
    expect(parse('{"query":"query A { a }","operationName":"A","variables":{"x":1}}')).toEqual({
      ...NOTHING,
      query: 'query A { a }',
      operationName: 'A',
      variables: { x: 1 },
    })
  })

  test('are read from the query of a GET, whose variables and extensions are JSON', () => {
    const extensions = '{"persistedQuery":{"version":1,"sha256Hash":"abc"}}'
    expect(parseQuery(new URLSearchParams({ query: '', variables: '{"x":1}', extensions }))).toEqual({
      ...NOTHING,
      query: null,
      persistedQueryHash: 'abc',
      variables: { x: 1 },
    })
  })

  test('may follow a byte order mark', () => {
    expect(parse('\uFEFF{"query":"{ a }"}').query).toBe('{ a }')
  })

  test('may name a trusted document instead of a text', () => {
    expect(toParams({ documentId: 'abc', query: '' })).toEqual({ ...NOTHING, query: null, documentId: 'abc' })
  })
})

test.each<[string, string, string]>([
  ['is empty', '', 'INVALID_JSON'],
  ['is not JSON', '{', 'INVALID_JSON'],
  ['is a batch', '[{"query":"{ a }"}]', 'BATCHING_NOT_SUPPORTED'],
  ['is a string', '"{ a }"', 'INVALID_BODY'],
  ['is null', 'null', 'INVALID_BODY'],
  ['has no document', '{}', 'MISSING_QUERY'],
  ['has a document that is not a string', '{"query":1}', 'INVALID_QUERY'],
  ['has a document id that is not a string', '{"documentId":{}}', 'INVALID_DOCUMENT_ID'],
  ['has an operation name that is not a string', '{"query":"{ a }","operationName":[]}', 'INVALID_OPERATION_NAME'],
  ['has a long operation name', `{"query":"{ a }","operationName":"${'a'.repeat(129)}"}`, 'INVALID_OPERATION_NAME'],
  ['has variables as a string', '{"query":"{ a }","variables":"{}"}', 'INVALID_VARIABLES'],
  ['has variables as a list', '{"query":"{ a }","variables":[]}', 'INVALID_VARIABLES'],
  ['has extensions as a number', '{"query":"{ a }","extensions":1}', 'INVALID_EXTENSIONS'],
  ['has a digest that is not a string', '{"extensions":{"persistedQuery":{"sha256Hash":1}}}', 'MISSING_QUERY'],
])('a body that %s is refused with its own code', (_what, text, code) => {
  expect(() => parse(text)).toThrow(expect.objectContaining({ name: 'RequestError', status: 400, code }))
})

test('a body that is not UTF-8 is refused with a message that says so', () => {
  const latin1 = Buffer.from('{"query":"{ ä }"}', 'latin1')
  expect(() => parseBody(latin1)).toThrow('must be encoded in UTF-8')
})

test.each(['variables', 'extensions'])('a parameter %s of a GET that is not JSON is named in the refusal', (name) => {
  const search = new URLSearchParams({ query: '{ a }', [name]: '{' })
  expect(() => parseQuery(search)).toThrow(`The parameter \`${name}\` is not valid JSON.`)
})
