import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createWheel } from '../../../src/lib/time/timer-wheel.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('a turn comes once in each interval, and never later than that', () => {
  const wheel = createWheel(60_000, () => 0)
  const act = vi.fn<() => void>()
  wheel.add(act)
  vi.advanceTimersByTime(60_000)
  expect(act).toHaveBeenCalledTimes(1)
  vi.advanceTimersByTime(180_000)
  expect(act).toHaveBeenCalledTimes(4)
  wheel.close()
})

test('turns that begin together are spread', () => {
  let calls = 0
  const wheel = createWheel(60_000, () => (calls++ % 10) / 10)
  const at = new Set<number>()
  for (let n = 0; n < 100; n += 1) wheel.add(() => at.add(Date.now()))
  vi.advanceTimersByTime(60_000)
  expect(at.size).toBe(10)
  wheel.close()
})

test('a turn that is put off begins its interval anew, and one that is stopped never comes', () => {
  const wheel = createWheel(60_000, () => 0.99)
  const putOff = vi.fn<() => void>()
  const stopped = vi.fn<() => void>()
  const turn = wheel.add(putOff)
  wheel.add(stopped).stop()
  for (let n = 0; n < 10; n += 1) {
    vi.advanceTimersByTime(40_000)
    turn.putOff()
  }
  expect(putOff).not.toHaveBeenCalled()
  vi.advanceTimersByTime(60_000)
  expect(putOff).toHaveBeenCalledTimes(1)
  expect(stopped).not.toHaveBeenCalled()
  wheel.close()
})

test('acts that stop and put off others do no harm', () => {
  const wheel = createWheel(60_000, () => 0)
  const other = vi.fn<() => void>()
  const first = wheel.add(() => {
    first.putOff()
    second.stop()
  })
  const second = wheel.add(other)
  vi.advanceTimersByTime(600_000)
  expect(other).not.toHaveBeenCalled()
  wheel.close()
})
