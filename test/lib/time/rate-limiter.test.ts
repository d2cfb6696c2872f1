import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Clock } from '../../../src/lib/time/clock.ts'
import { createRateLimiter } from '../../../src/lib/time/rate-limiter.ts'

/** Creates a clock that advances only by the delays that are awaited. */
function createJumpingClock() {
  let now = 1_000_000
  const clock: Pick<Clock, 'now' | 'delay'> = {
    now: () => now,
    delay: async (ms) => {
      now = Math.max(now, now + ms)
    },
  }
  return {
    clock,
    advance: (ms: number) => {
      now += ms
    },
  }
}

test('a rate limiter grants the permits of one second at once, and each again a second after it was taken', async () => {
  const { clock, advance } = createJumpingClock()
  const fetchLimiter = createRateLimiter(4, clock)
  const takeAll = async () => {
    let taken = 0
    while (await fetchLimiter.tryTake()) taken += 1
    return taken
  }
  expect(await takeAll()).toBe(4)
  advance(999)
  expect(await takeAll()).toBe(0)
  advance(1)
  expect(await takeAll()).toBe(4)
  advance(60_000)
  expect(await takeAll()).toBe(4)
})

test('a rate limiter grants waiting permits in order, at its rate', async () => {
  const { clock } = createJumpingClock()
  const fetchLimiter = createRateLimiter(10, clock)
  const started = clock.now()
  for (let n = 0; n < 30; n += 1) await fetchLimiter.take()
  expect(clock.now() - started).toBe(2_000)
})

test('a rate limiter grants at most its cap in any second, however permits are taken', async () => {
  const step = fc.record({ waitMs: fc.nat(1_500), takes: fc.nat(12), tries: fc.nat(12) })
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(0.4, 1, 3, 7.5), fc.array(step, { maxLength: 20 }), async (perSecond, steps) => {
      let now = 0
      const begins: number[] = []
      // Delays do not advance the clock: a delayed turn begins at the end of its delay.
      let waitMs = 0
      const delay = async (ms: number) => {
        waitMs = ms
      }
      const fetchLimiter = createRateLimiter(perSecond, { now: () => now, delay })
      for (const { waitMs: pauseMs, takes, tries } of steps) {
        now += pauseMs
        for (let n = 0; n < takes; n += 1) {
          waitMs = 0
          await fetchLimiter.take()
          begins.push(now + waitMs)
        }
        for (let n = 0; n < tries; n += 1) if (await fetchLimiter.tryTake()) begins.push(now)
      }
      const most = Math.max(1, perSecond)
      for (const from of begins) {
        expect(begins.filter((at) => at >= from && at < from + 1_000).length).toBeLessThanOrEqual(most)
      }
    }),
    { numRuns: 200 },
  )
})
