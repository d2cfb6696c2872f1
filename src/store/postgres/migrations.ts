import { type Kysely, type Migration, sql } from 'kysely'
import {
  createJobTables,
  createSharedMigrations,
  createUsageSums,
  indexTenantLimits,
  STARTS_AT,
} from '../sql/shared-migrations.ts'

/** Adds to the stored sums; the statement must alias the table as `kept`. */
const ADD_TO_KEPT = sql.raw(`on conflict (tenant, starts_at, status, charge_state) do update
          set jobs = kept.jobs + excluded.jobs, priced_jobs = kept.priced_jobs + excluded.priced_jobs, quota = kept.quota + excluded.quota`)

/** Forward only: a migration that has been released is never changed. */
export const migrations: Record<string, Migration> = {
  '0001-jobs': {
    up: async (db: Kysely<unknown>) => {
      await sql`create sequence job_changes`.execute(db)
      await createJobTables(db, 'bigint')

      // One row: when the next fetch may begin, by the database's clock.
      await sql`create table fetch_pace (next_at double precision not null)`.execute(db)
      await sql`insert into fetch_pace values (0)`.execute(db)

      // A second safeguard behind the state machine: a final status never changes.
      await sql`
        create function refuse_status_change() returns trigger language plpgsql as $$
        begin raise exception 'a final status is never left'; end $$
      `.execute(db)
      await sql`
        create trigger jobs_final_status before update of status on jobs for each row
        when (old.status in ('SUCCESS', 'FAILED', 'CANCELED', 'LOST') and new.status <> old.status)
        execute function refuse_status_change()
      `.execute(db)
    },
  },
  '0002-tenant-limits': {
    up: async (db: Kysely<unknown>) => {
      // The schema that `rate-limiter-flexible` requires. Unlogged: after a crash, counting starts over.
      await sql`
        create unlogged table request_counts (key varchar(255) primary key, points integer not null default 0, expire bigint)
      `.execute(db)
      await indexTenantLimits(db)
    },
  },
  '0010-usage-sums': {
    up: async (db: Kysely<unknown>) => {
      await createUsageSums(db, 'bigint')
      // Statement-level triggers: if one transaction updates a row of sums ten thousand times, it leaves ten thousand
      // row versions, and each further update scans them.
      await sql`
        create function add_usage_of_new() returns trigger language plpgsql as $$
        begin
          insert into usage_sums as kept (tenant, starts_at, status, charge_state, jobs, priced_jobs, quota)
          select tenant, ${STARTS_AT('created_at')}, status, charge_state, count(*), count(charge_quota), coalesce(sum(charge_quota), 0)
          from added group by 1, 2, 3, 4
          ${ADD_TO_KEPT};
          return null;
        end $$
      `.execute(db)
      await sql`
        create trigger jobs_usage_of_new after insert on jobs
        referencing new table as added for each statement execute function add_usage_of_new()
      `.execute(db)
      await sql`
        create function add_usage_of_changed() returns trigger language plpgsql as $$
        begin
          insert into usage_sums as kept (tenant, starts_at, status, charge_state, jobs, priced_jobs, quota)
          select tenant, starts_at, status, charge_state, sum(jobs), sum(priced), sum(quota) from (
            select tenant, ${STARTS_AT('created_at')} as starts_at, status, charge_state, 1 as jobs, (charge_quota is not null)::integer as priced, coalesce(charge_quota, 0) as quota from changed
            union all
            select tenant, ${STARTS_AT('created_at')}, status, charge_state, -1, -(charge_quota is not null)::integer, -coalesce(charge_quota, 0) from was
          ) as changes
          group by 1, 2, 3, 4 having sum(jobs) <> 0 or sum(priced) <> 0 or sum(quota) <> 0
          order by 1, 2, 3, 4
          ${ADD_TO_KEPT};
          return null;
        end $$
      `.execute(db)
      await sql`
        create trigger jobs_usage_of_changed after update on jobs
        referencing old table as was new table as changed for each statement execute function add_usage_of_changed()
      `.execute(db)
    },
  },
  ...createSharedMigrations('bigint', sql`json_array_elements_text(job.tags::json) as tag(value)`),
  '0012-pace-window': {
    up: async (db: Kysely<unknown>) => {
      // Start times of the latest fetches, oldest first; `next_at` is for processes of the previous version.
      await sql`alter table fetch_pace add column begins_at double precision[] not null default '{}'`.execute(db)
    },
  },
}
