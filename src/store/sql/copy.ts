import { sql } from 'kysely'
import type { Engine } from './engine.ts'
import type { Tables } from './tables.ts'

/** Rows of one statement. */
const BATCH = 500

/** The target holds jobs already; nothing was written. */
export class NotEmptyError extends Error {
  constructor() {
    super('the database to copy to has jobs already')
    this.name = 'NotEmptyError'
  }
}

/**
 * Copies everything from an embedded database into an empty PostgreSQL: all of it or nothing. Ids, versions and cursors
 * stay good. Nobody can write to the embedded database meanwhile.
 * @param onProgress called with each table and the rows of it so far.
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
      // Also before any process that has been started too early.
      await sql`lock table jobs in exclusive mode`.execute(target)
      if (await target.selectFrom('jobs').select('id').limit(1).executeTakeFirst()) throw new NotEmptyError()
      // Jobs first: the others name them.
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
