import { Kysely, PostgresDialect, sql } from 'kysely'
import { DatabaseError, type Pool } from 'pg'
import type { Engine } from '../sql/engine.ts'
import { migrate } from '../sql/migrate.ts'
import type { Tables } from '../sql/tables.ts'
import { checkServerVersion } from './connect-problem.ts'
import { createPool } from './connection.ts'
import { createGroupCommit } from './group-commit.ts'
import { migrations } from './migrations.ts'
import { createTransaction } from './transaction.ts'

/**
 * Opens a PostgreSQL database and migrates it if needed. If several processes start at once, one migrates and the rest
 * wait.
 * @param onQuery called once for each statement that reached the engine.
 * @param onConnectionLost called when a connection is lost, perhaps twice. The statements in progress on it also
 * reject.
 */
export async function openDatabase(
  url: string,
  onQuery: () => void,
  onConnectionLost: (error: Error) => void,
): Promise<Engine & { readonly pool: Pool }> {
  const pool = createPool(url, onConnectionLost)
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }), log: onQuery })
  try {
    const { rows } = await sql<{ server_version_num: string }>`show server_version_num`.execute(db)
    checkServerVersion(Number(rows[0]?.server_version_num))
    await migrate(db, migrations, false)
  } catch (error) {
    await db.destroy()
    throw error
  }
  const transaction = createTransaction(db)
  return {
    db,
    pool,
    ...createGroupCommit(transaction, false),
    queue: createGroupCommit(transaction, true),
    claim: async (act) => act(db),
    nextChange: () => sql<number>`nextval('job_changes')`,
    skipLocked: (rows) => rows.forUpdate().skipLocked(),
    sizeBytes: async () => {
      const { rows } = await sql<{ bytes: number }>`select pg_database_size(current_database()) as bytes`.execute(db)
      return rows[0]?.bytes ?? 0
    },
    isUpstreamIdTaken: (error) => error instanceof DatabaseError && error.constraint === 'jobs_upstream_id',
  }
}
