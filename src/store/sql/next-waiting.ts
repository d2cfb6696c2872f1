import { type Kysely, sql } from 'kysely'
import type { SwapJob } from '../../domain/swap-job.ts'
import type { ContentRefusals } from '../job-store.ts'
import { compileQuery } from './compiled-query.ts'
import { toSwapJob } from './job-row.ts'
import { CONTENT_REFUSED, isWaiting } from './quotas.ts'
import type { JobRow, Tables } from './tables.ts'

const WAITING = sql`finished_at is null and status = 'PENDING' and lease_until is null`

const IN_FLIGHT = sql`
  select tenant, count(*) as jobs from (
    select tenant from jobs where finished_at is null and status = 'ON_QUEUE'
    union all
    select tenant from jobs where finished_at is null and status = 'PENDING' and lease_until is not null
  ) as sent group by tenant
`

/**
 * The ids of the waiting jobs in submit order, assuming that no job in flight ends and none is added. Reads the whole
 * queue from its index.
 */
export const selectWaitingIds = compileQuery((db, values: { readonly limit: number }) => {
  const query = sql<Pick<JobRow, 'id'>>`
    with in_flight as (${IN_FLIGHT})
    select id from (
      select id, created_at, coalesce(in_flight.jobs, 0)
        + row_number() over (partition by waiting.tenant order by created_at, id) as turn
      from (select id, tenant, created_at from jobs where ${WAITING}) as waiting
      left join in_flight on in_flight.tenant = waiting.tenant
    ) as turns
    order by turn, created_at, id limit ${values.limit}
  `
  return { compile: () => query.compile(db) }
})

/** `JobStore.findNextWaiting`. */
export async function findNextWaiting(
  db: Kysely<Tables>,
  now: number,
  refusals: ContentRefusals,
): Promise<SwapJob | null> {
  // Usually no job waits, and this query is cheaper.
  const [some] = await selectSomeWaiting(db, {})
  if (!some) return null
  const [row] = await selectNextWaiting(db, { now, ...refusals })
  return row ? toSwapJob(row) : null
}

const selectSomeWaiting = compileQuery((db, _values: object) =>
  db
    .selectFrom('jobs')
    .select(({ lit }) => lit(1).as('one'))
    .where(isWaiting)
    .limit(1),
)

/**
 * The job to submit next. Finds the waiting tenants by a loose index scan of the queue's index, so the cost grows with
 * their number and not with the length of the queue.
 */
const selectNextWaiting = compileQuery((db, values: ContentRefusals & { readonly now: number }) => {
  const { now, since, maxPerTenant, maxOverall } = values
  const isRefusal = sql`failure_code = ${CONTENT_REFUSED} and finished_at >= ${since}`
  const query = sql<JobRow>`
    with recursive
    waiting(tenant) as (
      select min(tenant) from jobs where ${WAITING}
      union all
      select (select min(jobs.tenant) from jobs where ${WAITING} and jobs.tenant > waiting.tenant)
      from waiting where waiting.tenant is not null
    ),
    in_flight as (${IN_FLIGHT}),
    refused as (
      select tenant from jobs where ${isRefusal} group by tenant having count(*) >= ${maxPerTenant}
    ),
    candidates as (
      select coalesce(in_flight.jobs, 0) as in_flight, (
        select id from jobs where ${WAITING} and jobs.tenant = waiting.tenant and not_before <= ${now}
        order by created_at, id limit 1
      ) as id
      from waiting left join in_flight on in_flight.tenant = waiting.tenant
      where waiting.tenant is not null and waiting.tenant not in (select tenant from refused)
    )
    select jobs.* from candidates join jobs on jobs.id = candidates.id
    where (select count(*) from (select 1 from jobs where ${isRefusal} limit ${maxOverall}) as refusals) < ${maxOverall}
    order by candidates.in_flight, jobs.created_at, jobs.id limit 1
  `
  return { compile: () => query.compile(db) }
})
