import { expect, test } from 'vitest'
import { createIdempotencySeal } from '../../src/jobs/idempotency-seal.ts'

const OLD = 'the-old-secret-here'
const NEW = 'the-new-secret-here'
const seal = createIdempotencySeal([OLD])

test('a sealed key matches only the seals of the same tenant and key', () => {
  const sealed = seal.sealKey('a', 'k')
  expect(seal.listSealedKeys('a', 'k')).toEqual([sealed])
  expect(seal.listSealedKeys('b', 'k')).not.toContain(sealed)
  expect(seal.listSealedKeys('a', 'l')).not.toContain(sealed)
})

test('a seal reveals nothing of the key or the fingerprint', () => {
  const sealed = [seal.sealKey('tenant', 'my-key'), seal.sealFingerprint('my-print', 'https://caller.example/')]
  expect(sealed.join(' ')).not.toMatch(/tenant|my-|caller/)
})

test('a sealed fingerprint is recognised only with the same hook address', () => {
  const sealed = seal.sealFingerprint('f', 'https://caller.example/')
  expect(seal.isSealedFingerprint(sealed, 'f', 'https://caller.example/')).toBe(true)
  expect(seal.isSealedFingerprint(sealed, 'f', null)).toBe(false)
  expect(seal.isSealedFingerprint(sealed, 'g', 'https://caller.example/')).toBe(false)
  expect(seal.isSealedFingerprint('f', 'f', null)).toBe(false)
})

test('moving characters between tenant and key, or between fingerprint and address, changes the seal', () => {
  expect(seal.sealKey('a', 'b')).not.toBe(seal.sealKey('a","b', ''))
  expect(seal.sealKey('f', 'null')).not.toBe(seal.sealFingerprint('f', 'null'))
})

test('after the secret is rotated, seals of the earlier secret are recognised and new ones use the new secret', () => {
  const rotated = createIdempotencySeal([NEW, OLD])
  expect(rotated.listSealedKeys('a', 'k')).toContain(seal.sealKey('a', 'k'))
  expect(rotated.isSealedFingerprint(seal.sealFingerprint('f', null), 'f', null)).toBe(true)
  expect(rotated.sealKey('a', 'k')).toBe(createIdempotencySeal([NEW]).sealKey('a', 'k'))
})
