import { expect, test } from 'vitest'
import type { Clock } from '../../src/lib/clock.ts'
import { createPacer } from '../../src/lib/pacer.ts'

/** A clock that stands, and jumps by what is waited for. */
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

test('gives a second of turns at once, and then one by one', async () => {
  const { clock, advance } = createJumpingClock()
  const pacer = createPacer(4, clock)
  const takeAll = async () => {
    let taken = 0
    while (await pacer.tryTake()) taken += 1
    return taken
  }
  expect(await takeAll()).toBe(4)
  advance(249)
  expect(await takeAll()).toBe(0)
  advance(1)
  expect(await takeAll()).toBe(1)
  advance(60_000)
  expect(await takeAll()).toBe(4)
})

test('those who wait are let through in turn, at the rate', async () => {
  const { clock } = createJumpingClock()
  const pacer = createPacer(10, clock)
  const started = clock.now()
  for (let n = 0; n < 30; n += 1) await pacer.take()
  expect(clock.now() - started).toBe(2_000)
})
