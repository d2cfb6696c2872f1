import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createTimerWheel } from '../../../src/lib/time/timer-wheel.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('a timer of the wheel fires once per interval, and never late', () => {
  const timers = createTimerWheel(60_000, () => 0)
  const act = vi.fn<() => void>()
  timers.add(act)
  vi.advanceTimersByTime(60_000)
  expect(act).toHaveBeenCalledTimes(1)
  vi.advanceTimersByTime(180_000)
  expect(act).toHaveBeenCalledTimes(4)
  timers.close()
})

test('timers that are added together fire at different moments', () => {
  let calls = 0
  const timers = createTimerWheel(60_000, () => (calls++ % 10) / 10)
  const at = new Set<number>()
  for (let n = 0; n < 100; n += 1) timers.add(() => at.add(Date.now()))
  vi.advanceTimersByTime(60_000)
  expect(at.size).toBe(10)
  timers.close()
})

test('a timer that is reset begins its interval again, and one that is stopped never fires', () => {
  const timers = createTimerWheel(60_000, () => 0.99)
  const reset = vi.fn<() => void>()
  const stopped = vi.fn<() => void>()
  const timer = timers.add(reset)
  timers.add(stopped).stop()
  for (let n = 0; n < 10; n += 1) {
    vi.advanceTimersByTime(40_000)
    timer.reset()
  }
  expect(reset).not.toHaveBeenCalled()
  vi.advanceTimersByTime(60_000)
  expect(reset).toHaveBeenCalledTimes(1)
  expect(stopped).not.toHaveBeenCalled()
  timers.close()
})

test('a timer that fires can stop and reset other timers', () => {
  const timers = createTimerWheel(60_000, () => 0)
  const other = vi.fn<() => void>()
  const first = timers.add(() => {
    first.reset()
    second.stop()
  })
  const second = timers.add(other)
  vi.advanceTimersByTime(600_000)
  expect(other).not.toHaveBeenCalled()
  timers.close()
})
