/**
 * Reads figures about the jobs of all tenants. The unfinished jobs are read from their own index; the finished ones from the
 * usage sums, tenant by tenant, so the cost does not grow with the number of stored jobs.
 */
import { type Kysely, sql } from 'kysely'
import { isDone, SWAP_JOB_STATUSES, type SwapJobStatus } from '../../domain/swap-job.ts'
import type { JobFigures } from '../job-store.ts'
import { isUnfinished } from './quotas.ts'
import type { Tables } from './tables.ts'

/** @param since a multiple of `USAGE_STEP_MS`. */
export async function readFigures(db: Kysely<Tables>, since: number): Promise<JobFigures> {
  const unfinished = await countUnfinished(db)
  const finished = await countFinished(db, since)
  const counts = [...unfinished, ...finished]
  const waitingOf = new Map<string, number>()
  for (const { status, tenant, lease_until: lease, jobs } of unfinished) {
    if (status === 'PENDING' && lease === null) waitingOf.set(tenant, (waitingOf.get(tenant) ?? 0) + jobs)
  }
  return {
    counts: SWAP_JOB_STATUSES.map((status) => ({
      status,
      count: sum(counts.filter((row) => row.status === status).map(({ jobs }) => jobs)),
    })),
    waiting: sum([...waitingOf.values()]),
    waitingOfLargestTenant: Math.max(0, ...waitingOf.values()),
    oldestUnfinishedAt: unfinished.length === 0 ? null : Math.min(...unfinished.map(({ oldest }) => oldest)),
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

/** Grouped by the columns of the queue's index, in their order: SQLite need not sort the rows. */
async function countUnfinished(db: Kysely<Tables>) {
  return db
    .selectFrom('jobs')
    .select(['status', 'lease_until', 'tenant'])
    .select(({ fn }) => [fn.countAll<number>().as('jobs'), fn.min('created_at').as('oldest')])
    .where(isUnfinished)
    .groupBy(['status', 'lease_until', 'tenant'])
    .execute()
}

/** Finds the tenants by a loose index scan: the sums have no index on their time alone. */
async function countFinished(db: Kysely<Tables>, since: number) {
  const { rows } = await sql<{ readonly status: SwapJobStatus; readonly jobs: number }>`
    with recursive tenants(tenant) as (
      select min(tenant) from usage_sums
      union all
      select (select min(usage_sums.tenant) from usage_sums where usage_sums.tenant > tenants.tenant)
      from tenants where tenants.tenant is not null
    )
    select usage_sums.status as status, cast(sum(usage_sums.jobs) as bigint) as jobs
    from tenants join usage_sums on usage_sums.tenant = tenants.tenant and usage_sums.starts_at >= ${since}
    where usage_sums.status in (${sql.join(SWAP_JOB_STATUSES.filter(isDone))})
    group by usage_sums.status
  `.execute(db)
  return rows
}
