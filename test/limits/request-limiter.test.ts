import { describe, expect, test } from 'vitest'
import { createGrantingLimiter, createRequestLimiter } from '../../src/limits/request-limiter.ts'
import { createManualClock } from '../support/manual-clock.ts'

const MINUTE_MS = 60_000

describe('the requests of a tenant in one minute', () => {
  test('are allowed up to the limit, counted down, and refused beyond it', async () => {
    const { now } = createManualClock()
    const limiter = createRequestLimiter(3, now)
    const taken = []
    for (let n = 0; n < 5; n += 1) taken.push(await limiter.take('a'))
    expect(taken.map(({ remaining, isSpent }) => [remaining, isSpent])).toEqual([
      [2, false],
      [1, false],
      [0, false],
      [0, true],
      [0, true],
    ])
    expect(new Set(taken.map(({ limit }) => limit))).toEqual(new Set([3]))
    expect(taken.every(({ resetAt }) => resetAt > now() && resetAt <= now() + MINUTE_MS)).toBe(true)
  })

  test('do not count against another tenant', async () => {
    const limiter = createRequestLimiter(1, createManualClock().now)
    await limiter.take('a')
    expect(await limiter.take('a')).toMatchObject({ isSpent: true })
    expect(await limiter.take('b')).toMatchObject({ isSpent: false })
  })
})

/** Creates a request count that several processes share, as one of them sees it. */
function createSharedCount(points: number) {
  let consumed = 0
  const asked: number[] = []
  return {
    asked,
    spend: (count: number) => {
      consumed += count
    },
    counter: {
      points,
      consume: async (_tenant: string | number, count = 1) => {
        asked.push(count)
        consumed += count
        return {
          consumedPoints: consumed,
          remainingPoints: points - consumed,
          msBeforeNext: MINUTE_MS,
          isFirstInDuration: false,
          toJSON: () => ({}),
        } as never
      },
    },
  }
}

describe('a limiter that takes many requests out of a shared count at a time', () => {
  test('queries the count once per chunk, even if many requests arrive at once', async () => {
    const { counter, asked } = createSharedCount(100)
    const limiter = createGrantingLimiter(counter, 10, createManualClock().now)
    const taken = await Promise.all(Array.from({ length: 25 }, async () => limiter.take('a')))
    expect(asked).toEqual([10, 10, 10])
    expect(taken.some(({ isSpent }) => isSpent)).toBe(false)
  })

  test('allows only the requests that other processes have left', async () => {
    const { counter, spend } = createSharedCount(100)
    spend(95)
    const limiter = createGrantingLimiter(counter, 10, createManualClock().now)
    const taken = []
    for (let n = 0; n < 7; n += 1) taken.push((await limiter.take('a')).isSpent)
    expect(taken).toEqual([false, false, false, false, false, true, true])
  })

  test('queries the count again in the next minute', async () => {
    const clock = createManualClock()
    const { counter, asked } = createSharedCount(100)
    const limiter = createGrantingLimiter(counter, 10, clock.now)
    await limiter.take('a')
    clock.advance(MINUTE_MS - 1)
    await limiter.take('a')
    expect(asked).toHaveLength(1)
    clock.advance(1)
    await limiter.take('a')
    expect(asked).toHaveLength(2)
  })

  test('fails a request if the count cannot be queried, and queries it again for the next request', async () => {
    let isAway = true
    const { counter } = createSharedCount(100)
    const consume: typeof counter.consume = async (...args) => {
      if (isAway) throw new Error('the database is away')
      return counter.consume(...args)
    }
    const limiter = createGrantingLimiter({ points: 100, consume }, 10, createManualClock().now)
    await expect(limiter.take('a')).rejects.toThrow('the database is away')
    isAway = false
    expect(await limiter.take('a')).toMatchObject({ isSpent: false })
  })
})
