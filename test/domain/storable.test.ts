import { expect, test } from 'vitest'
import { isStorable } from '../../src/domain/storable.ts'

test.each([
  ['an empty text', '', true],
  ['a text with line breaks and other control characters', 'a\n\u0001b', true],
  ['a text with a whole surrogate pair', 'face 🙂', true],
  ['a text with NUL', 'a\0b', false],
  ['a text with the first half of a surrogate pair', 'face \ud83d', false],
  ['a text with the second half of a surrogate pair', '\ude42 face', false],
])('isStorable tells whether every database can hold %s', (_what, text, storable) => {
  expect(isStorable(text)).toBe(storable)
})
