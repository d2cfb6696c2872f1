import { expect, test } from 'vitest'

import { findImageType } from '../../../src/lib/image/image-type.ts'

test.each([
  ['image/jpeg', Buffer.from('ffd8ffe000104a464946', 'hex')],
  ['image/jpeg', Buffer.from('ffd8ff', 'hex')],
  ['image/png', Buffer.from('89504e470d0a1a0a0000000d', 'hex')],
  ['image/webp', Buffer.from('RIFF\u0024\u0000\u0000\u0000WEBPVP8 ', 'latin1')],
  [null, Buffer.from('RIFF\u0024\u0000\u0000\u0000WAVEfmt ', 'latin1')],
  [null, Buffer.from('XIFF\u0024\u0000\u0000\u0000WEBPVP8 ', 'latin1')],
  [null, Buffer.from('GIF89a')],
  [null, Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>')],
  [null, Buffer.from('<html>')],
  [null, Buffer.from('89504e47', 'hex')],
  [null, Buffer.from('00ffd8ff', 'hex')],
  [null, Buffer.alloc(0)],
])('finds %s in %j', (type, bytes) => {
  expect(findImageType(bytes)).toBe(type)
})
