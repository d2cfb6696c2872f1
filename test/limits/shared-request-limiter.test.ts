/** Request limits shared by several processes on one PostgreSQL. */
import { expect, test } from 'vitest'
import { createSharedRequestLimiter } from '../../src/limits/shared-request-limiter.ts'
import { openDatabase } from '../../src/store/postgres/engine.ts'
import { openWireTo } from '../support/fault-proxy.ts'
import { createDatabase } from '../support/postgres.ts'
import { closeAfterTest } from '../support/close-after-test.ts'

async function openProcess(url: string, perMinute: number) {
  const { db, pool } = await openDatabase(
    url,
    () => {},
    () => {},
  )
  closeAfterTest(() => db.destroy())
  return createSharedRequestLimiter(pool, perMinute, () => Date.now())
}

async function makeDatabase() {
  const { url, drop } = await createDatabase()
  closeAfterTest(drop)
  return url
}

test('two processes together allow no more requests of a tenant than its limit per minute', async () => {
  const url = await makeDatabase()
  const [first, second] = [await openProcess(url, 100), await openProcess(url, 100)]
  const taken = await Promise.all(Array.from({ length: 300 }, async (_u, n) => (n % 2 ? first : second).take('acme')))
  expect(taken.filter(({ isSpent }) => !isSpent)).toHaveLength(100)
  expect((await second.take('other')).isSpent).toBe(false)
  const allowance = await first.take('acme')
  expect(allowance).toMatchObject({ limit: 100, remaining: 0, isSpent: true })
  expect(allowance.resetAt).toBeGreaterThan(Date.now())
})

test(
  'each process counts on its own while the database is unavailable, and refuses no request for that reason',
  { timeout: 20_000 },
  async () => {
    const { wire, through } = await openWireTo(await makeDatabase())
    closeAfterTest(() => wire.close())
    const limiter = await openProcess(through, 2)
    await wire.fail({ kind: 'reset' })
    const taken = [await limiter.take('acme'), await limiter.take('acme'), await limiter.take('acme')]
    expect(taken.map(({ isSpent }) => isSpent)).toEqual([false, false, true])
    await wire.heal()
  },
)
