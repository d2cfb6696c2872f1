import { type Kysely, type Migration, sql } from 'kysely'
import { createJobTables, createSharedMigrations, indexTenantLimits } from '../shared-migrations.ts'

/** Forward only: a migration that has been released is never changed. */
export const migrations: Record<string, Migration> = {
  '0001-jobs': {
    up: async (db: Kysely<unknown>) => {
      await createJobTables(db, 'integer')

      // The second wall behind the state machine: a final status stays, whatever the code above does.
      await sql`
        create trigger jobs_final_status before update of status on jobs
        when old.status in ('SUCCESS', 'FAILED', 'CANCELED', 'LOST') and new.status <> old.status
        begin select raise(abort, 'a final status is never left'); end
      `.execute(db)
    },
  },
  '0002-tenant-limits': { up: indexTenantLimits },
  ...createSharedMigrations('integer', sql`json_each(job.tags) tag`),
}
