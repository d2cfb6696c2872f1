import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sanitiseUpstreamMessage } from '../../src/upstream/upstream-message.ts'

const KEY = 'secret-key-of-letters'

test.each([
  ["'action' parameter error!"],
  ['No available accounts, retry in 30s (code 1001).'],
  ['INVALID_PARAMETER: face too small, 12.5% of 640 px'],
  ['参数错误, 请重试'],
])('plain words and numbers stay: %s', (message) => {
  expect(sanitiseUpstreamMessage(message, KEY)).toBe(message)
})

test.each([
  ['a URL', 'cannot read https://user:pw@cdn.example.com/a.jpg?sig=1 twice', 'cannot read … twice'],
  ['a URL of another scheme', 'cannot read s3://bucket/key now', 'cannot read … now'],
  ['a URL without a scheme', 'cannot read //cdn.example.com/a now', 'cannot read … now'],
  ['a URL within text of another script', '无法读取https://a.example/b图片', '无法读取…图片'],
  ['a full-width URL', 'see ｈｔｔｐｓ：／／ａ．ｅｘａｍｐｌｅ now', 'see … now'],
  ['a host name', 'worker-7.internal.example failed', '… failed'],
  ['a host name with an ideographic full stop', 'at 例え。jp now', 'at 例え. jp now'],
  ['a host and a port', 'dial redis:6379 failed', 'dial … failed'],
  ['the name of this machine', 'dial localhost failed', 'dial … failed'],
  ['an IPv4 address', 'dial 10.0.0.5 failed', 'dial … failed'],
  ['an IPv6 address', 'dial [fe80::1%eth0] failed', 'dial … failed'],
  ['an e-mail address', 'ask bob@example.com', 'ask …'],
  ['a path', 'open /home/bob/a.jpg failed', 'open … failed'],
  ['a file name', 'cannot decode ada.jpg', 'cannot decode …'],
  ['the upstream key', `the key ${KEY} is wrong`, 'the key … is wrong'],
  ['the upstream key in capitals', `the key ${KEY.toUpperCase()} is wrong`, 'the key … is wrong'],
  ['the upstream key in quotes', `the key "${KEY}" is wrong`, 'the key … is wrong'],
  ['another key', 'the key sk4f9a8b7c6d5e is wrong', 'the key … is wrong'],
  ['a long word', `the key ${'x'.repeat(21)} is wrong`, 'the key … is wrong'],
  ['a named value', 'token=abc failed', '… failed'],
  ['markup', '<b>failed</b> again', '… again'],
  ['control characters', 'fai\u0000led\u001b[31m now\r\nagain', '… now again'],
  ['characters that change the direction of text', 'failed \u202Eagain', 'failed again'],
  ['invisible characters within a host name', 'at cdn\u200B.example now', 'at … now'],
  ['half a surrogate pair', 'failed \ud800 again', 'failed again'],
  ['several names in a row', 'a.example b.example failed', '… failed'],
])('%s is removed', (_what, message, expected) => {
  expect(sanitiseUpstreamMessage(message, KEY)).toBe(expected)
})

test.each(['', '   ', 'https://a.example', '\u0000', '…'])('a message without words is null: %j', (message) => {
  expect(sanitiseUpstreamMessage(message, KEY)).toBeNull()
})

test('a short key is removed only as a word of its own', () => {
  expect(sanitiseUpstreamMessage('the key ke is wrong', 'ke')).toBe('the key … is wrong')
})

describe('any message', () => {
  test('has at most 300 characters, and no URL, host, key or control character', () => {
    const part = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 400 }),
      fc.webUrl(),
      fc.domain(),
      fc.ipV4(),
      fc.ipV6(),
      fc.constant(KEY),
    )
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const clean = sanitiseUpstreamMessage(parts.join(' '), KEY)
        if (clean === null) return
        expect(Array.from(clean).length).toBeLessThanOrEqual(300)
        expect(clean).not.toMatch(/\p{C}|:\/\/|\w\.[a-z]|\d\.\d+\.\d/iu)
        expect(clean).not.toContain(KEY)
      }),
    )
  })

  test('of a million characters is cut, not read', () => {
    expect(sanitiseUpstreamMessage('word '.repeat(200_000), KEY)).toHaveLength(300)
  })
})
