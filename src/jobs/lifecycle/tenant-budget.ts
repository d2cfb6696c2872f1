import type { ContentRefusals, TenantLimits } from '../../store/job-store.ts'

/**
 * Units reserved for a swap until its charge is known: its price in the upstream's sample (contract, "Links, images,
 * quota").
 */
export const RESERVE = 3
/**
 * Swaps refused for their content, per day. The upstream blocks an account at thirty, and ten more may be in flight
 * when the limit is reached.
 */
const MAX_REFUSALS_PER_TENANT = 5
const MAX_REFUSALS = 15
const DAY_MS = 24 * 60 * 60 * 1_000

export interface TenantBudgetOptions {
  /** Units that one tenant may spend in a day; null: no limit. */
  readonly quotaPerDay: number | null
  /** Unfinished jobs of one tenant; null: no limit. */
  readonly maxInFlight: number | null
  /** Jobs of one tenant that may wait at this moment; null: limited only by the queue. */
  readonly maxWaiting: () => number | null
}

/** Returns a tenant's limits for the UTC day that contains `now`. A job counts on the day it was created. */
export function toTenantLimits(
  { quotaPerDay, maxInFlight, maxWaiting }: TenantBudgetOptions,
  now: number,
): TenantLimits {
  return {
    since: startOfDay(now),
    quota: quotaPerDay === null ? null : { limit: quotaPerDay, reserve: RESERVE },
    maxUnfinished: maxInFlight,
    maxWaiting: maxWaiting(),
    contentRefusals: toContentRefusals(now),
  }
}

export function toContentRefusals(now: number): ContentRefusals {
  return { since: startOfDay(now), maxPerTenant: MAX_REFUSALS_PER_TENANT, maxOverall: MAX_REFUSALS }
}

/** When the UTC day that contains `now` ends and its budgets reset. */
export function endOfDay(now: number): number {
  return startOfDay(now) + DAY_MS
}

export function startOfDay(now: number): number {
  return Math.floor(now / DAY_MS) * DAY_MS
}
