import { array, assert, constantFrom, property, string } from 'fast-check'
import { GraphQLError, Lexer, parse, Source, TokenKind } from 'graphql'
import { expect, test } from 'vitest'
import { checkDocument, DOCUMENT_LIMITS, parseWithinLimits } from '../../../src/graphql/operation/document-limits.ts'

/** Counts tokens with graphql-js's own lexer, up to its first error. */
function countTokens(text: string): number {
  const lexer = new Lexer(new Source(text))
  let tokens = 0
  try {
    while (lexer.advance().kind !== TokenKind.EOF) tokens += 1
  } catch {
    return Number.NaN
  }
  return tokens
}

const PIECES = [
  '{',
  '}',
  'a',
  'a1',
  '...',
  '$',
  '(',
  ')',
  ':',
  '"x"',
  '"\\""',
  '"""b"""',
  '"""a\\"""b"""',
  '# c\n',
  ',',
  '-1.5e+3',
  '@',
  '|',
  '[',
  '!',
  '\n',
]

test('a text is refused exactly if graphql-js would count too many tokens', () => {
  const texts = array(constantFrom(...PIECES), { minLength: 1_990, maxLength: 2_400 }).map((pieces) => pieces.join(' '))
  assert(
    property(texts, (text) => {
      const count = countTokens(text)
      if (Number.isNaN(count)) return
      const isRefused = count > DOCUMENT_LIMITS.tokens
      const doParse = () => parseWithinLimits(parse, text)
      if (isRefused) expect(doParse).toThrow('more than 2000 tokens')
      else expect(doParse).not.toThrow('more than 2000 tokens')
    }),
    { numRuns: 200 },
  )
})

test('any text is parsed or refused with a GraphQL error', () => {
  assert(
    property(string({ maxLength: 200, unit: 'binary' }), (text) => {
      try {
        parseWithinLimits(parse, text.repeat(100))
      } catch (error) {
        expect(error).toBeInstanceOf(GraphQLError)
      }
    }),
  )
})

test.each([
  ['aliases', (n: number) => `{ ${Array.from({ length: n }, (_u, i) => `a${i}: b`).join(' ')} }`, 100],
  ['root fields', (n: number) => `{ ${Array.from({ length: n }, (_u, i) => `b${i}`).join(' ')} }`, 100],
  ['levels', (n: number) => `${'{ a '.repeat(n)}${'}'.repeat(n)}`, 10],
  ['directives', (n: number) => `{ a ${'@b '.repeat(n)} }`, 10],
  ['directives on a variable', (n: number) => `query ($v: Int ${'@b '.repeat(n)}) { a }`, 10],
  ['directives on a fragment definition', (n: number) => `{ ...F } fragment F on Job ${'@b '.repeat(n)} { a }`, 10],
  [
    'directives on variables and fragments together',
    (n: number) => `query ($v: Int ${'@b '.repeat(n - 5)}) { ...F } fragment F on Job ${'@b '.repeat(5)} { a }`,
    10,
  ],
  ['levels in a fragment', (n: number) => `fragment F on Job ${'{ a '.repeat(n)}${'}'.repeat(n)}`, 10],
  [
    'root fields in a mutation',
    (n: number) => `mutation { ${Array.from({ length: n }, (_u, i) => `b${i}`).join(' ')} }`,
    5,
  ],
  ['fields of one name', (n: number) => `{ a { ${'b '.repeat(n)} } }`, 20],
])('the limit of %s accepts its maximum, and not one more', (_what, write, most) => {
  expect(() => checkDocument(parse(write(most)))).not.toThrow()
  expect(() => checkDocument(parse(write(most + 1)))).toThrow('more than')
})

test.each([
  ['a fragment on a type of introspection', (selection: string) => `fragment F on __Type ${selection}`],
  ['__schema', (selection: string) => `{ __schema { types ${selection} } }`],
  ['__type', (selection: string) => `{ __type(name: "A") ${selection} }`],
])('%s is exempt from the depth limit, and from no other limit', (_what, write) => {
  const nest = (inner: string, levels: number) => `${'{ ofType '.repeat(levels)}{ ${inner} }${' }'.repeat(levels)}`
  expect(() => checkDocument(parse(write(nest('name', 30))))).not.toThrow()
  const aliases = Array.from({ length: 101 }, (_u, n) => `a${n}: name`).join(' ')
  expect(() => checkDocument(parse(write(nest(aliases, 30))))).toThrow('more than 100 aliases')
  expect(() => checkDocument(parse(write(nest('name '.repeat(21), 30))))).toThrow('more than 20 fields of one name')
  expect(() => checkDocument(parse(write(nest('name @a '.repeat(11), 30))))).toThrow('more than 10 directives')
})

test.each(['__typename', '__other', '_service'])(
  '%s does not exempt what is nested in it from the depth limit',
  (name) => {
    const selection = `${'{ a '.repeat(10)}${'}'.repeat(10)}`
    expect(() => checkDocument(parse(`{ ${name} ${selection} }`))).toThrow('more than 10 levels')
  },
)
