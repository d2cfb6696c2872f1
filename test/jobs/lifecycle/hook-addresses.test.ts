import { expect, test } from 'vitest'
import { createHookAddresses } from '../../../src/jobs/lifecycle/hook-addresses.ts'

const tokenOf = (address: string) => address.slice(address.lastIndexOf('/') + 1)

test('a hook token resolves to its own job only', () => {
  const hooks = createHookAddresses('https://gateway.example/', ['a-secret-of-some-length'])
  const address = hooks.addressOf('job_1')
  expect(address).toMatch(/^https:\/\/gateway\.example\/hooks\/swapface\/job_1\.[\w-]{22}$/)
  expect(hooks.parseToken(tokenOf(address))).toBe('job_1')
  expect(hooks.parseToken(tokenOf(address).replace('job_1', 'job_2'))).toBeNull()
})

test('a hook address is the same after a restart, and differs with another secret', () => {
  const [first, again, other] = ['secret-number-one', 'secret-number-one', 'secret-number-two'].map((secret) =>
    createHookAddresses('https://gateway.example', [secret]).addressOf('job_1'),
  )
  expect(again).toBe(first)
  expect(other).not.toBe(first)
})

test('a rotated secret verifies hook tokens and does not sign new ones', () => {
  const old = createHookAddresses('https://gateway.example', ['the-old-secret-here'])
  const rotated = createHookAddresses('https://gateway.example', ['the-new-secret-here', 'the-old-secret-here'])
  expect(rotated.parseToken(tokenOf(old.addressOf('job_1')))).toBe('job_1')
  expect(rotated.addressOf('job_1')).not.toBe(old.addressOf('job_1'))
  expect(old.parseToken(tokenOf(rotated.addressOf('job_1')))).toBeNull()
})
