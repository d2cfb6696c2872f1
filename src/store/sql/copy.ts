import { sql } from 'kysely'
import type { Engine } from './engine.ts'
import type { Tables } from './tables.ts'

/** Rows per statement. */
const BATCH = 500

/** The target already contains jobs; nothing was written. */
export class NotEmptyError extends Error {
  constructor() {
    super('the target database already has jobs')
    this.name = 'NotEmptyError'
  }
}

/**
 * Copies an embedded database into an empty PostgreSQL, in one transaction. Ids, versions and cursors stay valid.
 * Writes to the embedded database are blocked meanwhile.
 * @param onProgress called with each table and its number of rows copied so far.
 * @throws {NotEmptyError}
 */
export async function copyToPostgres(
  from: Engine,
  to: Engine,
  onProgress: (table: keyof Tables, rows: number) => void,
): Promise<void> {
  // The embedded database has one lock for all tenants.
  await from.write('', async (source) =>
    to.db.transaction().execute(async (target) => {
      // Keeps out a gateway that was started on the target too early.
      await sql`lock table jobs in exclusive mode`.execute(target)
      if (await target.selectFrom('jobs').select('id').limit(1).executeTakeFirst()) throw new NotEmptyError()
      // Jobs first: other tables reference them.
      for (const table of [
        'jobs',
        'job_timeline',
        'idempotency_keys',
        'images',
        'job_tags',
        'webhooks',
        'webhook_attempts',
      ] as const) {
        for (let copied = 0; ;) {
          const rows = await source
            .selectFrom(table)
            .selectAll()
            .orderBy(sql`rowid`)
            .offset(copied)
            .limit(BATCH)
            .execute()
          if (rows.length === 0) break
          await target.insertInto(table).values(rows).execute()
          copied += rows.length
          onProgress(table, copied)
        }
      }
      await sql`select setval('job_changes', (select coalesce(max(change_seq), 0) + 1 from jobs), false)`.execute(
        target,
      )
    }),
  )
}
