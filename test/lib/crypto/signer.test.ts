import { expect, test } from 'vitest'
import { createSigner } from '../../../src/lib/crypto/signer.ts'

const signer = createSigner(['the-secret-number-one'], 'a test')

test('a MAC is valid for its own text only', () => {
  const mac = signer.sign('text')
  expect(mac).toMatch(/^[\w-]{43}$/)
  expect(signer.isSigned('text', mac)).toBe(true)
  expect(signer.isSigned('texT', mac)).toBe(false)
})

test('a MAC with one character changed, removed or added is invalid', () => {
  const mac = signer.sign('text')
  for (let n = 0; n < mac.length; n += 1) {
    const other = mac[n] === 'A' ? 'B' : 'A'
    expect(signer.isSigned('text', mac.slice(0, n) + other + mac.slice(n + 1))).toBe(false)
    expect(signer.isSigned('text', mac.slice(0, n) + mac.slice(n + 1))).toBe(false)
  }
  for (const wrong of ['', `${mac}A`, `${mac}=`]) expect(signer.isSigned('text', wrong)).toBe(false)
})

test('a MAC for one purpose is invalid for another', () => {
  expect(createSigner(['the-secret-number-one'], 'another test').isSigned('text', signer.sign('text'))).toBe(false)
})

test('a MAC can be truncated, and then has exactly that length', () => {
  const short = createSigner(['the-secret-number-one'], 'a test', 22)
  expect(short.sign('text')).toBe(signer.sign('text').slice(0, 22))
  expect(short.isSigned('text', signer.sign('text'))).toBe(false)
})

test('a rotated secret verifies and does not sign', () => {
  const rotated = createSigner(['the-secret-number-two', 'the-secret-number-one'], 'a test')
  expect(rotated.isSigned('text', signer.sign('text'))).toBe(true)
  expect(signer.isSigned('text', rotated.sign('text'))).toBe(false)
})
