import { expect, test, vi } from 'vitest'
import { closeSpread } from '../../../src/lib/async/close-spread.ts'

test('a few connections are closed at once', async () => {
  const closed: number[] = []
  const spread = closeSpread([1, 2, 3], (connection) => closed.push(connection))
  expect(closed).toEqual([1, 2, 3])
  await spread
})

test('many connections are closed within five seconds, a hundredth of them at a time', async () => {
  vi.useFakeTimers()
  try {
    const closedAt: number[] = []
    const from = Date.now()
    const all = Array.from({ length: 10_000 }, (_unused, n) => n)
    const spread = closeSpread(all, () => closedAt.push(Date.now() - from))
    await vi.advanceTimersByTimeAsync(5_000)
    await spread
    expect(closedAt).toHaveLength(10_000)
    expect(new Set(closedAt).size).toBe(100)
  } finally {
    vi.useRealTimers()
  }
})
