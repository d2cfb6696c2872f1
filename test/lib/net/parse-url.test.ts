import { expect, test } from 'vitest'
import { parseUrl } from '../../../src/lib/net/parse-url.ts'

test('a URL with letters outside ASCII is parsed, even after V8 has optimised the function', () => {
  let refused = 0
  for (let n = 0; n < 20_000; n += 1) if (parseUrl('https://bücher.example/ä') === null) refused += 1
  expect(refused).toBe(0)
})

test('a relative URL is parsed against a base, and the result is null for a text that is not a URL', () => {
  expect(parseUrl('/b', 'https://example.com/a')?.href).toBe('https://example.com/b')
  expect(parseUrl('/b')).toBeNull()
  expect(parseUrl('https://exa mple.com/')).toBeNull()
})
