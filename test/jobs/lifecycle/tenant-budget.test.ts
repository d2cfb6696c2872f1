import { describe, expect, test } from 'vitest'
import {
  endOfDay,
  RESERVE,
  startOfDay,
  toContentRefusals,
  toTenantLimits,
} from '../../../src/jobs/lifecycle/tenant-budget.ts'
import { USAGE_STEP_MS } from '../../../src/store/job-store.ts'

const MIDNIGHT = Date.UTC(2026, 1, 28)
const NEXT_MIDNIGHT = Date.UTC(2026, 2, 1)
const NONE = { quotaPerDay: null, maxInFlight: null, maxWaiting: () => null }

describe('the day of a budget', () => {
  test.each([MIDNIGHT, MIDNIGHT + 1, NEXT_MIDNIGHT - 1])('begins and ends at midnight UTC, at %i', (now) => {
    expect([startOfDay(now), endOfDay(now)]).toEqual([MIDNIGHT, NEXT_MIDNIGHT])
  })

  test('changes at midnight UTC', () => {
    expect(startOfDay(NEXT_MIDNIGHT)).toBe(NEXT_MIDNIGHT)
  })

  test('begins at the start of a usage bucket', () => {
    expect(startOfDay(MIDNIGHT + 12_345_678) % USAGE_STEP_MS).toBe(0)
  })
})

test('a tenant without a budget is limited only by content refusals', () => {
  expect(toTenantLimits(NONE, MIDNIGHT + 1)).toEqual({
    since: MIDNIGHT,
    quota: null,
    maxUnfinished: null,
    maxWaiting: null,
    contentRefusals: { since: MIDNIGHT, maxPerTenant: 5, maxOverall: 15 },
  })
})

test('a quota reserves the price of a swap until its charge is known', () => {
  expect(toTenantLimits({ ...NONE, quotaPerDay: 20 }, MIDNIGHT).quota).toEqual({ limit: 20, reserve: RESERVE })
  expect(toTenantLimits({ ...NONE, quotaPerDay: 0 }, MIDNIGHT).quota).toEqual({ limit: 0, reserve: RESERVE })
})

test('the limit of waiting jobs of a tenant is read each time', () => {
  let maxWaiting: number | null = 500
  const budget = { ...NONE, maxInFlight: 7, maxWaiting: () => maxWaiting }
  expect(toTenantLimits(budget, MIDNIGHT)).toMatchObject({ maxUnfinished: 7, maxWaiting: 500 })
  maxWaiting = null
  expect(toTenantLimits(budget, MIDNIGHT)).toMatchObject({ maxUnfinished: 7, maxWaiting: null })
})

test('content refusals stop all submits well before the thirty at which the upstream blocks the account', () => {
  const { maxPerTenant, maxOverall } = toContentRefusals(MIDNIGHT)
  // Ten more submits may be in flight when the limit is reached.
  expect(maxOverall + 10).toBeLessThan(30)
  expect(maxPerTenant).toBeLessThan(maxOverall)
})
