import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { openApiKeys } from '../../src/auth/api-keys.ts'

const digest = (key: string) => createHash('sha256').update(key).digest('hex')
const open = (source: string) => openApiKeys(source, () => {})

test('a key is its tenant’s, with the scopes that are listed, or to read and write', () => {
  const keys = open(`acme:${digest('a')}, beta:${digest('b').toUpperCase()}:read ,acme:${digest('c')}:read+admin`)
  const seen = ['a', 'b', 'c', 'd', ''].map((key) => {
    const viewer = keys.find(key)
    return viewer && [viewer.tenant, ...viewer.scopes]
  })
  expect(seen).toEqual([
    ['acme', 'swap:read', 'swap:write'],
    ['beta', 'swap:read'],
    ['acme', 'swap:read', 'swap:admin'],
    null,
    null,
  ])
})

test.each([
  ['', 'lists no key'],
  [' , ', 'lists no key'],
  ['acme', 'the digest is not 64 hex digits (entry 1)'],
  ['acme:secret', 'the digest is not 64 hex digits (entry 1)'],
  [`acme:${digest('a')},:${digest('b')}`, 'a tenant has 1 to 64 letters'],
  [`two words:${digest('a')}`, 'a tenant has 1 to 64 letters'],
  [`acme:${digest('a')}:everything`, 'scopes are read, write and admin'],
  [`acme:${digest('a')}:read:write`, 'too many colons'],
  ['file:/no/such/file', 'names a file that cannot be read'],
])('%j cannot be used, and the message says why without what it holds', (source, problem) => {
  expect(() => open(source)).toThrow(problem)
  expect(() => open(source)).not.toThrow(digest('a'))
})
