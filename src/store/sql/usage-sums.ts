/** Adds up a tenant's usage from the sums that triggers maintain, so the cost grows with time, not with jobs. */
import { type Kysely, sql } from 'kysely'
import { SWAP_JOB_STATUSES } from '../../domain/swap-job.ts'
import type { UsageSums } from '../job-store.ts'
import type { Tables, UsageSumRow } from './tables.ts'

type Sum = Pick<UsageSumRow, 'status' | 'charge_state' | 'jobs' | 'priced_jobs' | 'quota'>

/** @param since a multiple of `USAGE_STEP_MS`. @param reserve units of a swap whose charge is not known. */
export async function sumUsage(db: Kysely<Tables>, tenant: string, since: number, reserve: number): Promise<UsageSums> {
  const sums = await db
    .selectFrom('usage_sums')
    .select(['status', 'charge_state', sumOf('jobs'), sumOf('priced_jobs'), sumOf('quota')])
    .where('tenant', '=', tenant)
    .where('starts_at', '>=', since)
    .groupBy(['status', 'charge_state'])
    .execute()
  const charged = sums.filter(({ charge_state: state }) => state === 'CHARGED')
  const open = sums.filter(({ charge_state: state }) => state === 'PENDING' || state === 'UNKNOWN')
  return {
    counts: SWAP_JOB_STATUSES.map((status) => ({
      status,
      count: total(
        sums.filter((sum) => sum.status === status),
        ({ jobs }) => jobs,
      ),
    })),
    spent: total(charged, ({ quota }) => quota),
    uncertain:
      reserve * (total(open, ({ jobs }) => jobs) + total(charged, ({ jobs, priced_jobs: priced }) => jobs - priced)),
  }
}

function total(of: readonly Sum[], count: (sum: Sum) => number): number {
  return of.reduce((all, sum) => all + count(sum), 0)
}

/** In PostgreSQL the sum of a bigint is numeric, which its driver returns as text. */
function sumOf<Column extends 'jobs' | 'priced_jobs' | 'quota'>(column: Column) {
  return sql<number>`cast(sum(${sql.ref(column)}) as bigint)`.as(column)
}
