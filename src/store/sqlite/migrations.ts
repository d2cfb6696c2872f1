import { type Kysely, type Migration, sql } from 'kysely'
import {
  createJobTables,
  createSharedMigrations,
  createUsageSums,
  indexTenantLimits,
  STARTS_AT,
} from '../sql/shared-migrations.ts'

/** Forward only: a migration that has been released is never changed. */
export const migrations: Record<string, Migration> = {
  '0001-jobs': {
    up: async (db: Kysely<unknown>) => {
      await createJobTables(db, 'integer')

      // A second safeguard behind the state machine: a final status never changes.
      await sql`
        create trigger jobs_final_status before update of status on jobs
        when old.status in ('SUCCESS', 'FAILED', 'CANCELED', 'LOST') and new.status <> old.status
        begin select raise(abort, 'a final status is never left'); end
      `.execute(db)
    },
  },
  '0002-tenant-limits': { up: indexTenantLimits },
  '0010-usage-sums': {
    up: async (db: Kysely<unknown>) => {
      await createUsageSums(db, 'integer')
      const add = sql`
        insert into usage_sums (tenant, starts_at, status, charge_state, jobs, priced_jobs, quota)
        values (new.tenant, ${STARTS_AT('new.created_at')}, new.status, new.charge_state, 1, new.charge_quota is not null, coalesce(new.charge_quota, 0))
        on conflict (tenant, starts_at, status, charge_state) do update
        set jobs = jobs + 1, priced_jobs = priced_jobs + excluded.priced_jobs, quota = quota + excluded.quota;
      `
      await sql`create trigger jobs_usage_of_new after insert on jobs begin ${add} end`.execute(db)
      await sql`
        create trigger jobs_usage_of_changed after update of status, charge_state, charge_quota on jobs
        when old.status <> new.status or old.charge_state <> new.charge_state or old.charge_quota is not new.charge_quota
        begin
          update usage_sums
          set jobs = jobs - 1, priced_jobs = priced_jobs - (old.charge_quota is not null), quota = quota - coalesce(old.charge_quota, 0)
          where tenant = old.tenant and starts_at = ${STARTS_AT('old.created_at')} and status = old.status and charge_state = old.charge_state;
          ${add}
        end
      `.execute(db)
    },
  },
  ...createSharedMigrations('integer', sql`json_each(job.tags) tag`),
}
