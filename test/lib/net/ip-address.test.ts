import { expect, test } from 'vitest'
import { isPublicAddress, isSameAddress, parseIpAddress } from '../../../src/lib/net/ip-address.ts'

test.each([
  ['192.0.2.1', [192, 0, 2, 1]],
  ['::1', [...Array<number>(15).fill(0), 1]],
  ['::ffff:192.0.2.1', [...Array<number>(10).fill(0), 255, 255, 192, 0, 2, 1]],
  ['2001:DB8::A', [0x20, 1, 0x0d, 0xb8, ...Array<number>(11).fill(0), 10]],
])('the text %s is parsed to the bytes of its address', (text, bytes) => {
  expect(parseIpAddress(text)).toEqual(bytes)
})

test.each(['', 'example.com', '127.1', '0x7f000001', '2130706433', '1.2.3.4.5', 'fe80::1%eth0', '[::1]', ':::'])(
  'the text %j is not an address, and never public',
  (text) => {
    expect(parseIpAddress(text)).toBeNull()
    expect(isPublicAddress(text)).toBe(false)
  },
)

test.each([
  ['9.255.255.255', true],
  ['10.0.0.0', false],
  ['100.63.255.255', true],
  ['100.64.0.0', false],
  ['100.127.255.255', false],
  ['100.128.0.0', true],
  ['172.15.255.255', true],
  ['172.31.255.255', false],
  ['172.32.0.0', true],
  ['169.254.169.254', false],
  ['223.255.255.255', true],
  ['224.0.0.0', false],
  ['255.255.255.255', false],
  ['::', false],
  ['::1', false],
  ['fc00::1', false],
  ['fe80::1', false],
  ['ff02::1', false],
  ['2606:4700::1', true],
  ['2001:db8::1', false],
  ['2002:808:808::1', false],
  ['::ffff:8.8.8.8', true],
  ['::ffff:10.0.0.1', false],
  ['64:ff9b::8.8.8.8', true],
  ['64:ff9b::127.0.0.1', false],
])('for the address %s, being on the public internet is %s', (text, expected) => {
  expect(isPublicAddress(text)).toBe(expected)
})

test('two spellings of one address are equal, and so are an IPv4-mapped address and its IPv4 address', () => {
  expect(isSameAddress('2001:db8:0:0::1', '2001:DB8::1')).toBe(true)
  expect(isSameAddress('::ffff:192.0.2.1', '192.0.2.1')).toBe(true)
  expect(isSameAddress('192.0.2.1', '192.0.2.2')).toBe(false)
  expect(isSameAddress('localhost', 'localhost')).toBe(false)
})
