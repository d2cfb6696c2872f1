import { expect, test } from 'vitest'
import { createUpstreamBreaker } from '../../src/jobs/upstream-breaker.ts'

function openBreaker() {
  let now = 0
  const breaker = createUpstreamBreaker({ now: () => now }, () => 0.5)
  return {
    breaker,
    advance: (ms: number) => {
      now += ms
    },
    fail: (times: number) => {
      for (let n = 0; n < times; n += 1) if (breaker.tryPass()) breaker.failed()
    },
  }
}

test('opens after five failures in a row, and not when a success is among them', () => {
  const { breaker, fail } = openBreaker()
  fail(4)
  breaker.succeeded()
  fail(4)
  expect([breaker.isOpen(), breaker.tryPass()]).toEqual([false, true])
  breaker.failed()
  expect([breaker.isOpen(), breaker.tryPass()]).toEqual([true, false])
})

test('lets one probe through after a pause, and all after its success', () => {
  const { breaker, fail, advance } = openBreaker()
  fail(5)
  advance(1_000)
  expect([breaker.tryPass(), breaker.tryPass()]).toEqual([true, false])
  breaker.succeeded()
  expect([breaker.tryPass(), breaker.tryPass()]).toEqual([true, true])
})

test('pauses longer after each failed probe, half a minute at most', () => {
  const { breaker, fail, advance } = openBreaker()
  fail(5)
  const pauses: number[] = []
  for (let n = 0; n < 8; n += 1) {
    let waited = 0
    while (!breaker.tryPass()) {
      advance(500)
      waited += 500
    }
    pauses.push(waited)
    breaker.failed()
  }
  expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
})

test('a probe that was not made after all leaves its place to another', () => {
  const { breaker, fail, advance } = openBreaker()
  fail(5)
  advance(1_000)
  expect(breaker.tryPass()).toBe(true)
  breaker.abandoned()
  expect(breaker.tryPass()).toBe(true)
})
