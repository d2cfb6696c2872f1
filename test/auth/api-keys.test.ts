import { expect, test } from 'vitest'
import { sha256 } from '../../src/lib/crypto/sha256.ts'
import { openApiKeys } from '../../src/auth/api-keys.ts'

const open = (source: string) => openApiKeys(source, () => {})

test('a key belongs to its tenant, with the listed scopes, or with swap:read and swap:write by default', () => {
  const keys = open(`acme:${sha256('a')}, beta:${sha256('b').toUpperCase()}:read ,acme:${sha256('c')}:read+admin`)
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
  [`acme:${sha256('a')},:${sha256('b')}`, 'a tenant has 1 to 64 letters'],
  [`two words:${sha256('a')}`, 'a tenant has 1 to 64 letters'],
  [`acme:${sha256('a')}:everything`, 'scopes are read, write and admin'],
  [`acme:${sha256('a')}:read:write`, 'too many colons'],
  ['file:/no/such/file', 'names a file that cannot be read'],
])('%j is refused, and the message gives the reason without the contents', (source, problem) => {
  expect(() => open(source)).toThrow(problem)
  expect(() => open(source)).not.toThrow(sha256('a'))
})
