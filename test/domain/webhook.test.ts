import { describe, expect, test } from 'vitest'
import { nextAttemptInMs } from '../../src/domain/webhook.ts'

const MIDDLE = 0.5
const HOUR_MS = 3_600_000

describe('the next attempt of a webhook', () => {
  test('is due at once, then after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h and 10 h, and never after that', () => {
    const delays = Array.from({ length: 9 }, (_unused, tries) => nextAttemptInMs(tries, MIDDLE, null))
    expect(delays).toEqual([0, 5_000, 300_000, 1_800_000, 2 * HOUR_MS, 5 * HOUR_MS, 10 * HOUR_MS, 10 * HOUR_MS, null])
  })

  test('is spread by twenty percent to either side', () => {
    expect(nextAttemptInMs(1, 0, null)).toBe(4_000)
    expect(nextAttemptInMs(1, 1 - Number.EPSILON, null)).toBe(6_000)
  })

  test('waits for the Retry-After of the receiver, but no longer than the longest delay', () => {
    expect(nextAttemptInMs(1, MIDDLE, 60_000)).toBe(60_000)
    expect(nextAttemptInMs(1, MIDDLE, 100 * HOUR_MS)).toBe(10 * HOUR_MS)
  })

  test('never comes sooner than scheduled because of a short Retry-After', () => {
    expect(nextAttemptInMs(2, MIDDLE, 1)).toBe(300_000)
  })
})
