import { type Kysely, type Migration, sql } from 'kysely'
import { createJobTables, createSharedMigrations, indexTenantLimits } from '../shared-migrations.ts'

/** Forward only: a migration that has been released is never changed. */
export const migrations: Record<string, Migration> = {
  '0001-jobs': {
    up: async (db: Kysely<unknown>) => {
      await sql`create sequence job_changes`.execute(db)
      await createJobTables(db, 'bigint')

      // One row: when the fetch after the last one given out may begin, in the database's own time.
      await sql`create table fetch_pace (next_at double precision not null)`.execute(db)
      await sql`insert into fetch_pace values (0)`.execute(db)

      // The second wall behind the state machine: a final status stays, whatever the code above does.
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
      // In the shape that `rate-limiter-flexible` asks for. Lost in a crash, it is counted anew.
      await sql`
        create unlogged table request_counts (key varchar(255) primary key, points integer not null default 0, expire bigint)
      `.execute(db)
      await indexTenantLimits(db)
    },
  },
  ...createSharedMigrations('bigint', sql`json_array_elements_text(job.tags::json) as tag(value)`),
  '0010-pace-window': {
    up: async (db: Kysely<unknown>) => {
      // When the last fetches began, the oldest first; `next_at` is for processes of the version before.
      await sql`alter table fetch_pace add column begins_at double precision[] not null default '{}'`.execute(db)
    },
  },
}
