import { expect, test } from 'vitest'
import { findAddressIssue } from '../../src/jobs/address-issue.ts'

test.each([
  'https://example.com/a.jpg',
  'HTTP://example.com:65535/a%20b.jpg?x=\\y#z',
  'http://[2001:db8::1]:8080/',
  'https://bücher.example/ä',
  `https://example.com/${'a'.repeat(8_192 - 20)}`,
])('an absolute http address has no issue: %s', (address) => {
  expect(findAddressIssue(address)).toBeNull()
})

test.each([
  ['', 'REQUIRED'],
  [`https://example.com/${'a'.repeat(8_192 - 19)}`, 'TOO_LONG'],
  ['https://example.com/a\n.jpg', 'ADDRESS_HAS_CONTROL_CHARACTER'],
  ['https://example.com/\ud83d', 'ADDRESS_HAS_CONTROL_CHARACTER'],
  [' https://example.com/', 'ADDRESS_HAS_SPACE'],
  ['https://example.com/a b.jpg', 'ADDRESS_HAS_SPACE'],
  ['https:\\\\example.com\\a.jpg', 'ADDRESS_HAS_BACKSLASH'],
  ['//example.com/a.jpg', 'SCHEME_REQUIRED'],
  ['example.com/a.jpg', 'SCHEME_REQUIRED'],
  ['localhost:4010/a.jpg', 'SCHEME_REQUIRED'],
  ['example.com:8080/a.jpg', 'SCHEME_REQUIRED'],
  ['data:image/png;base64,AAAA', 'DATA_URL_NOT_SUPPORTED'],
  ['file:///etc/passwd', 'SCHEME_NOT_SUPPORTED'],
  ['https:example.com/a.jpg', 'NOT_HTTP_URL'],
  ['https:///a.jpg', 'NOT_HTTP_URL'],
  ['https://example.com:65536/', 'NOT_HTTP_URL'],
  ['https://me:secret@example.com/', 'ADDRESS_HAS_CREDENTIALS'],
  ['https://@example.com/', 'ADDRESS_HAS_CREDENTIALS'],
])('an address is refused with its first defect: %j', (address, code) => {
  expect(findAddressIssue(address)).toMatchObject({ code, message: expect.stringMatching(/^[A-Z].+\.$/) })
})

test('the message about a scheme shows at most twenty characters of it', () => {
  expect(findAddressIssue(`${'x'.repeat(500)}:a`)?.message).toContain(`scheme ${'x'.repeat(20)}:`)
})
