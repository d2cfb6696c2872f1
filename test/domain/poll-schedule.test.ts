import { expect, test } from 'vitest'
import { nextFetchDelayMs, WATCHED_EVERY_MS } from '../../src/domain/poll-schedule.ts'

const MIDDLE = 0.5

test('the delay between polls grows from two seconds to five minutes, and stays there', () => {
  const delays = Array.from({ length: 14 }, (_unused, n) => nextFetchDelayMs(n, MIDDLE, false) / 1_000)
  expect(delays).toEqual([2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 300, 300, 300])
})

test('the delay between polls is spread by ten percent to either side', () => {
  expect(nextFetchDelayMs(11, 0, false)).toBe(270_000)
  expect(nextFetchDelayMs(11, 1 - Number.EPSILON, false)).toBe(330_000)
})

test('the delay between polls of a watched job is at most ten seconds', () => {
  expect([0, 3, 4, 11].map((fetches) => nextFetchDelayMs(fetches, MIDDLE, true))).toEqual([
    2_000,
    8_000,
    WATCHED_EVERY_MS,
    WATCHED_EVERY_MS,
  ])
})
