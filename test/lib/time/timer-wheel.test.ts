import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createTimerWheel } from '../../../src/lib/time/timer-wheel.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('a turn comes once in each interval, and never later than that', () => {
  const timers = createTimerWheel(60_000, () => 0)
  const act = vi.fn<() => void>()
  timers.add(act)
  vi.advanceTimersByTime(60_000)
  expect(act).toHaveBeenCalledTimes(1)
  vi.advanceTimersByTime(180_000)
  expect(act).toHaveBeenCalledTimes(4)
  timers.close()
})

test('turns that begin together are spread', () => {
  let calls = 0
  const timers = createTimerWheel(60_000, () => (calls++ % 10) / 10)
  const at = new Set<number>()
  for (let n = 0; n < 100; n += 1) timers.add(() => at.add(Date.now()))
  vi.advanceTimersByTime(60_000)
  expect(at.size).toBe(10)
  timers.close()
})

test('a turn that is put off begins its interval anew, and one that is stopped never comes', () => {
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

test('acts that stop and put off others do no harm', () => {
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
