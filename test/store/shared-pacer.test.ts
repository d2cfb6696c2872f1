/** Turns to fetch, over all processes on one database. */
import { expect, test } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { openDatabase } from '../../src/store/postgres/open.ts'
import { createSharedPacer } from '../../src/store/postgres/pacer.ts'
import { createDatabase } from '../support/postgres.ts'
import { closeAfterTest } from '../support/test-app.ts'

/** Two processes' pacers, and the delays they ask of the clock. */
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
      return createSharedPacer(db, perSecond, clock)
    }),
  )
  return { pacers, waits }
}

test('two processes together have a second’s worth at once, then one turn after the other', async () => {
  const { pacers, waits } = await openTwo(10)
  await Promise.all(Array.from({ length: 30 }, async (_unused, n) => pacers[n % 2]?.take()))
  const sorted = waits.toSorted((a, b) => a - b)
  // The database's clock goes on while they ask.
  expect(sorted.length).toBeGreaterThanOrEqual(18)
  expect(sorted.length).toBeLessThanOrEqual(20)
  expect(sorted.at(-1)).toBeGreaterThan(1_700)
  expect(sorted.at(-1)).toBeLessThanOrEqual(2_000)
  for (const [n, wait] of sorted.slice(1).entries()) expect(wait - (sorted[n] ?? 0)).toBeGreaterThan(95)
})

test('a turn is given to whoever does not wait only where one is free', async () => {
  const { pacers } = await openTwo(0.1)
  expect(await pacers[0]?.tryTake()).toBe(true)
  expect(await pacers[1]?.tryTake()).toBe(false)
  expect(await pacers[0]?.tryTake()).toBe(false)
})
