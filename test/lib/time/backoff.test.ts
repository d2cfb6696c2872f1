import { expect, test } from 'vitest'
import { retryDelayMs } from '../../../src/lib/time/backoff.ts'

test('the longest delay of a retry doubles from a second to a minute', () => {
  const longest = Array.from({ length: 9 }, (_unused, n) => retryDelayMs(n + 1, 1))
  expect(longest).toEqual([1_250, 2_250, 4_250, 8_250, 16_250, 32_250, 60_250, 60_250, 60_250])
  expect(retryDelayMs(10_000, 1)).toBe(60_250)
})

test('the delay of a retry is spread from a quarter of a second up', () => {
  expect(retryDelayMs(7, 0)).toBe(250)
  expect(retryDelayMs(7, 0.5)).toBe(30_250)
})
