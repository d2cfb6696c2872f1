import type { ContentRefusals, TenantLimits } from '../../store/job-store.ts'

/** What a swap costs by the upstream's own sample (contract, "Links, images, quota"): reserved until the charge is known. */
export const RESERVE = 3
/**
 * Swaps refused on grounds of content in a day. The upstream blocks an account that has thirty; ten more may be under
 * way when the limit is met.
 */
const MAX_REFUSALS_PER_TENANT = 5
const MAX_REFUSALS = 15
const DAY_MS = 24 * 60 * 60 * 1_000

export interface TenantBudgetOptions {
  /** Units that one tenant may spend in a day; null: any. */
  readonly quotaPerDay: number | null
  /** Unfinished jobs of one tenant; null: any. */
  readonly maxInFlight: number | null
  /** Jobs of one tenant that may wait at this moment; null: as many as there is room for. */
  readonly maxWaiting: () => number | null
}

/** What a tenant may do in the day that `now` is in: days are those of UTC, and counted by when a job was made. */
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

/** When the day that `now` is in ends, and its budgets with it. */
export function endOfDay(now: number): number {
  return startOfDay(now) + DAY_MS
}

export function startOfDay(now: number): number {
  return Math.floor(now / DAY_MS) * DAY_MS
}
