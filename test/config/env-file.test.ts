/** `.env` as editors and tools on all systems write it: each line is either applied or refused. */
import { expect, test } from 'vitest'
import { parseEnvFile } from '../../src/config/env-file.ts'

const parse = (text: string) => parseEnvFile(Buffer.from(text))

test.each([
  ['LF', 'PORT=1\nHOST=h\n'],
  ['CRLF', 'PORT=1\r\nHOST=h\r\n'],
  ['a byte order mark', '\uFEFFPORT=1\nHOST=h'],
  ['blanks, comments and export', '# a comment\n\n  export PORT = 1   # a port\nHOST=h#'.replace('h#', 'h # host')],
])('reads names and values from a file with %s', (_name, text) => {
  expect(parse(text)).toEqual({ PORT: '1', HOST: 'h' })
})

test.each([
  ['A="two words"', 'two words'],
  ["A='with \\n and #'", 'with \\n and #'],
  ['A="one\\ntwo"', 'one\ntwo'],
  ['A="over\ntwo lines" # comment', 'over\ntwo lines'],
  ['A=`back`', 'back'],
  ['A=', ''],
  ['A=""', ''],
  ['A=postgres://u:p%23@host/db?x=y', 'postgres://u:p%23@host/db?x=y'],
  ['A=pass#word', 'pass#word'],
  ['A=pass #word', 'pass'],
  ['A=b=c', 'b=c'],
])('reads %j as %j', (text, value) => {
  expect(parse(text)).toEqual({ A: value })
})

test.each([
  ['PORT=1\nHOST: h\n', '.env line 2 is not NAME=value'],
  ['\n# comment\nPORT 1', '.env line 3 is not NAME=value'],
  ['A="x\ny"\nPORT 1', '.env line 3 is not NAME=value'],
  ['1A=x', '.env line 1 is not NAME=value'],
  ['A="x\nB=y', 'A in .env, line 1, has no closing "'],
  ['A="x" y', 'A in .env, line 1, has text after its closing "'],
])('refuses %j: %s', (text, message) => {
  expect(() => parse(text)).toThrow(message)
})

test.each([
  ['UTF-16 with a byte order mark', Buffer.from('\uFEFFPORT=1\n', 'utf16le')],
  ['UTF-16 without one', Buffer.from('PORT=1\n', 'utf16le')],
  ['big-endian UTF-16', Buffer.from('\uFEFFPORT=1\n', 'utf16le').swap16()],
])('refuses %s', (_name, bytes) => {
  expect(() => parseEnvFile(bytes)).toThrow('.env is UTF-16, or not a text file: save it as UTF-8')
})

test('refuses another 8-bit encoding', () => {
  expect(() => parseEnvFile(Buffer.from('TTAPI_KEY=\xe4\n', 'latin1'))).toThrow('.env is not UTF-8')
})
