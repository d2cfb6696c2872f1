import { Kysely, PostgresDialect, sql } from 'kysely'
import { DatabaseError, Pool, types } from 'pg'
import type { Engine } from '../sql/engine.ts'
import { migrate } from '../sql/migrate.ts'
import type { Tables } from '../sql/tables.ts'
import { checkServerVersion } from './connect-problem.ts'
import { createGroupCommit } from './group-commit.ts'
import { migrations } from './migrations.ts'
import { createTransaction } from './transaction.ts'

const CONNECTIONS = 10
/** What takes longer than this is taken for a connection that is gone. */
const ANSWER_WITHIN_MS = 5_000

/**
 * Opens a PostgreSQL database, migrated where needed; of several processes that start at once one migrates and the
 * others wait. A commit is on disk when it is answered (`synchronous_commit`, whatever the server's default).
 * @param onQuery called once for each statement that reached the engine.
 * @param onConnectionLost called when a connection was cut; perhaps twice. What was under way on it rejects as well.
 */
export async function openDatabase(
  url: string,
  onQuery: () => void,
  onConnectionLost: (error: Error) => void,
): Promise<Engine & { readonly pool: Pool }> {
  const pool = new Pool({
    connectionString: url,
    application_name: 'swapface-gateway',
    max: CONNECTIONS,
    connectionTimeoutMillis: ANSWER_WITHIN_MS,
    query_timeout: ANSWER_WITHIN_MS,
    statement_timeout: ANSWER_WITHIN_MS,
    idle_in_transaction_session_timeout: ANSWER_WITHIN_MS,
    keepAlive: true,
    // Statements that do not wait for each other's answers are sent without waiting: a group of writes is one road, not many.
    pipeline: true,
    options: '-c synchronous_commit=on',
    types: {
      getTypeParser: (type, format) => (type === types.builtins.INT8 ? Number : types.getTypeParser(type, format)),
    },
  })
  // Of one that is idle the pool tells; of one that is in use, between two statements, only the connection itself.
  pool.on('error', onConnectionLost)
  pool.on('connect', (client) => client.on('error', onConnectionLost))
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
    isUpstreamIdTaken: (error) => error instanceof DatabaseError && error.constraint === 'jobs_upstream_id',
  }
}
