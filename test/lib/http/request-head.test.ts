import { expect, test } from 'vitest'
import { isLoopbackHost, normaliseHost } from '../../../src/lib/http/request-head.ts'

test.each<[string, string, string | null]>([
  ['Example.COM', 'https:', 'example.com'],
  ['example.com.', 'https:', 'example.com'],
  ['example.com:443', 'https:', 'example.com'],
  ['example.com:443', 'http:', 'example.com:443'],
  ['example.com:', 'http:', 'example.com'],
  ['[::1]:4000', 'http:', '[::1]:4000'],
  ['127.1', 'http:', '127.0.0.1'],
  ['', 'http:', null],
  ['user@example.com', 'http:', null],
  ['example.com/path', 'http:', null],
  ['example.com:99999', 'http:', null],
  ['a b', 'http:', null],
])('the Host header %j over %s is normalised to %j', (host, protocol, normalised) => {
  expect(normaliseHost(host, protocol)).toBe(normalised)
})

test.each([
  ['localhost', true],
  ['app.localhost:5173', true],
  ['127.0.0.1:4000', true],
  ['[::1]:4000', true],
  ['localhost.example.com', false],
  ['notlocalhost', false],
  ['127.0.0.1.example.com', false],
  ['128.0.0.1', false],
])('whether the host %s is loopback: %s', (host, expected) => {
  expect(isLoopbackHost(host)).toBe(expected)
})
