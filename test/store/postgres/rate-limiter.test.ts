/** A rate limiter shared by all processes on one database. */
import { expect, test } from 'vitest'
import { systemClock } from '../../../src/lib/time/clock.ts'
import { openDatabase } from '../../../src/store/postgres/engine.ts'
import { createSharedRateLimiter } from '../../../src/store/postgres/rate-limiter.ts'
import { createDatabase } from '../../support/postgres.ts'
import { closeAfterTest } from '../../support/close-after-test.ts'

/** Opens the rate limiters of two processes, and records their delays. */
async function openTwo(perSecond: number) {
  const { url, drop } = await createDatabase()
  closeAfterTest(drop)
  const waits: number[] = []
  const clock = {
    ...systemClock,
    delay: async (ms: number) => {
      waits.push(ms)
    },
  }
  const pacers = await Promise.all(
    [1, 2].map(async () => {
      const { db } = await openDatabase(
        url,
        () => {},
        () => {},
      )
      closeAfterTest(() => db.destroy())
      return createSharedRateLimiter(db, perSecond, clock)
    }),
  )
  return { pacers, waits }
}

test('permits of two processes on one database follow each other, one interval apart', async () => {
  const intervalMs = 1_000_000
  const { pacers, waits } = await openTwo(1_000 / intervalMs)
  await Promise.all(Array.from({ length: 30 }, async (_unused, n) => pacers[n % 2]?.take()))
  // The database's clock advances during the calls, by far less than an interval.
  const intervals = waits.map((wait) => Math.ceil(wait / intervalMs)).toSorted((a, b) => a - b)
  // The first turn does not wait.
  expect(intervals).toEqual(Array.from({ length: 29 }, (_unused, n) => n + 1))
})

test('the permits of one second can be taken at once', async () => {
  const { pacers, waits } = await openTwo(1_000)
  await Promise.all(Array.from({ length: 100 }, async (_unused, n) => pacers[n % 2]?.take()))
  expect(waits).toEqual([])
})

test('a permit is granted without waiting only if one is free', async () => {
  const { pacers } = await openTwo(0.1)
  expect(await pacers[0]?.tryTake()).toBe(true)
  expect(await pacers[1]?.tryTake()).toBe(false)
  expect(await pacers[0]?.tryTake()).toBe(false)
})

test('two processes together take at most the cap in any second', async () => {
  const perSecond = 5
  const { pacers, waits } = await openTwo(perSecond)
  await Promise.all(Array.from({ length: 23 }, async (_unused, n) => pacers[n % 2]?.take()))
  // The first five permits do not wait; each later one begins a second after the fifth permit before it.
  expect(waits).toHaveLength(18)
  const seconds = waits.map((wait) => Math.ceil(wait / 1_000)).toSorted((a, b) => a - b)
  const counts = [1, 2, 3, 4, 5].map((second) => seconds.filter((one) => one === second).length)
  expect(Math.max(...counts)).toBeLessThanOrEqual(perSecond)
})
