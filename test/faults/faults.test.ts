/** The short form of `npm run test:faults`: injects each fault once or a few times and checks all promises. */
import { afterAll, describe, expect, test } from 'vitest'
import { killLeftGateways } from './gateway-process.ts'
import { scenarios } from './scenarios.ts'

afterAll(killLeftGateways)

// A scenario mostly waits, for a process to start or for a deadline.
describe.concurrent('nothing is lost and nothing is paid for twice', () => {
  const short = scenarios.filter(({ times }) => times.short > 0)
  test.each(short)('$name', { timeout: 120_000 }, async ({ times, run }) => {
    const { injected, lost, chargedTwice, breaches } = await run(times.short)
    expect({ lost, chargedTwice, breaches }).toEqual({ lost: [], chargedTwice: [], breaches: [] })
    expect(injected).toBeGreaterThan(0)
  })
})
