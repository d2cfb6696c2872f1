import { sql } from 'kysely'
import { CONTENT_REFUSED } from './counting.ts'
import type { ContentRefusals } from './job-store.ts'
import { prepareQuery } from './prepared.ts'
import type { JobRow } from './tables.ts'

const WAITING = sql`finished_at is null and status = 'PENDING' and lease_until is null`

/**
 * The job that is to be submitted next (`JobStore.findNextWaiting`). The tenants that wait are found by skipping from one
 * to the next in the index of the queue, so the cost grows with their number and not with the length of the queue.
 */
export const selectNextWaiting = prepareQuery((db, values: ContentRefusals & { readonly now: number }) => {
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
    in_flight as (
      select tenant, count(*) as jobs from (
        select tenant from jobs where finished_at is null and status = 'ON_QUEUE'
        union all
        select tenant from jobs where finished_at is null and status = 'PENDING' and lease_until is not null
      ) as sent group by tenant
    ),
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
