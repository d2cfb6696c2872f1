import { expect, test } from 'vitest'
import { createUpstreamBreaker, type UpstreamBreaker } from '../../../src/jobs/lifecycle/upstream-breaker.ts'

/** Creates breakers of several processes that receive each other's messages immediately. */
function openBreakers(count: number) {
  let now = 0
  const listeners: ((message: string) => void)[] = []
  const breakers = Array.from({ length: count }, (_unused, own) =>
    createUpstreamBreaker(
      {
        publishToPeers: (message) => {
          for (const [n, listener] of listeners.entries()) if (n !== own) listener(message)
        },
        subscribePeers: (listener) => {
          listeners.push(listener)
        },
      },
      { now: () => now },
      () => 0.5,
    ),
  )
  return {
    breakers: breakers as [UpstreamBreaker, UpstreamBreaker, ...UpstreamBreaker[]],
    deliver: (message: string) => {
      for (const listener of listeners) listener(message)
    },
    advance: (ms: number) => {
      now += ms
    },
  }
}

function fail(breaker: UpstreamBreaker, times: number): void {
  for (let n = 0; n < times; n += 1) if (breaker.tryPass()) breaker.failed()
}

function openBreaker() {
  const { breakers, advance } = openBreakers(1)
  const [breaker] = breakers
  return { breaker, advance }
}

test('the breaker opens after five consecutive failures, and not if a success is among them', () => {
  const { breaker } = openBreaker()
  fail(breaker, 4)
  breaker.succeeded()
  fail(breaker, 4)
  expect([breaker.isOpen(), breaker.tryPass()]).toEqual([false, true])
  breaker.failed()
  expect([breaker.isOpen(), breaker.tryPass()]).toEqual([true, false])
})

test('the breaker passes one probe after a pause, and all calls after its success', () => {
  const { breaker, advance } = openBreaker()
  fail(breaker, 5)
  advance(1_000)
  expect([breaker.tryPass(), breaker.tryPass()]).toEqual([true, false])
  breaker.succeeded()
  expect([breaker.tryPass(), breaker.tryPass()]).toEqual([true, true])
})

test('the breaker pauses longer after each failed probe, up to half a minute', () => {
  const { breaker, advance } = openBreaker()
  fail(breaker, 5)
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

test('after an abandoned probe another call may probe', () => {
  const { breaker, advance } = openBreaker()
  fail(breaker, 5)
  advance(1_000)
  expect(breaker.tryPass()).toBe(true)
  breaker.abandoned()
  expect(breaker.tryPass()).toBe(true)
})

test('calls in progress when the pause starts do not lengthen it', () => {
  const { breaker, advance } = openBreaker()
  for (let n = 0; n < 20; n += 1) breaker.tryPass()
  for (let n = 0; n < 20; n += 1) breaker.failed()
  advance(1_000)
  expect(breaker.tryPass()).toBe(true)
})

test('the failures of all processes together open every breaker, and one process at a time probes', () => {
  const { breakers, advance } = openBreakers(3)
  const [first, second, third] = breakers
  fail(first, 2)
  fail(second, 3)
  expect(breakers.map((breaker) => breaker.tryPass())).toEqual([false, false, false])
  advance(1_000)
  expect([second.tryPass(), first.tryPass(), third?.tryPass()]).toEqual([true, false, false])
  second.failed()
  advance(1_999)
  expect(breakers.map((breaker) => breaker.tryPass())).toEqual([false, false, false])
  advance(1)
  expect([first.tryPass(), second.tryPass()]).toEqual([true, false])
  first.abandoned()
  expect([second.tryPass(), first.tryPass()]).toEqual([true, false])
  second.succeeded()
  expect(breakers.map((breaker) => breaker.isTripped())).toEqual([false, false, false])
})

test('a probe whose process died blocks other processes for as long as a call may take', () => {
  const { breakers, advance } = openBreakers(2)
  const [dying, other] = breakers
  fail(dying, 5)
  advance(1_000)
  dying.tryPass()
  advance(34_999)
  expect(other.tryPass()).toBe(false)
  advance(1)
  expect(other.tryPass()).toBe(true)
})

test('a probe that never reports its outcome blocks its own process for as long as a call may take', () => {
  const { breaker, advance } = openBreaker()
  fail(breaker, 5)
  advance(1_000)
  breaker.tryPass()
  advance(34_999)
  expect(breaker.tryPass()).toBe(false)
  advance(1)
  expect(breaker.tryPass()).toBe(true)
})

test('a process that alone cannot reach the upstream opens its own breaker only', () => {
  const { breakers } = openBreakers(2)
  const [cut, other] = breakers
  for (let n = 0; n < 5; n += 1) {
    fail(cut, 1)
    other.tryPass()
    other.succeeded()
  }
  expect([cut.isTripped(), other.isTripped()]).toEqual([true, false])
})

test('the breaker ignores a message of a newer version', () => {
  const { breakers, deliver } = openBreakers(1)
  deliver('half open')
  expect(breakers[0].tryPass()).toBe(true)
})
