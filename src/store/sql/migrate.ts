import { type Kysely, type Migration, Migrator, sql } from 'kysely'
import type { Tables } from './tables.ts'

/** The database holds tables that this program did not create. */
export class ForeignDatabaseError extends Error {
  override readonly name = 'ForeignDatabaseError'

  constructor() {
    super('the database belongs to another program')
  }
}

/**
 * Runs the pending migrations. Ignores migrations of a newer version: they remove nothing that this version needs, so
 * processes can be upgraded one after the other.
 * @param disableTransactions true if the caller has begun a transaction.
 * @throws {ForeignDatabaseError}
 */
export async function migrate(
  db: Kysely<Tables>,
  migrations: Readonly<Record<string, Migration>>,
  disableTransactions: boolean,
): Promise<void> {
  // Before the migrator starts: it holds the only connection of an embedded database.
  const executed = await listExecuted(db)
  if (executed.length > 0 && !executed.some((name) => name in migrations)) throw new ForeignDatabaseError()
  const newer = executed.filter((name) => !(name in migrations))
  const all = { ...migrations, ...Object.fromEntries(newer.map((name) => [name, { up: async () => {} }])) }
  const provider = { getMigrations: async () => all }
  const { error } = await new Migrator({ db, provider, disableTransactions }).migrateToLatest()
  if (error) throw error
}

async function listExecuted(db: Kysely<Tables>): Promise<string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true })
  if (!tables.some(({ name }) => name === 'kysely_migration')) {
    // A server's database may also hold other programs' tables; a file may not. (Only a server's tables have schemas.)
    if (tables.some(({ schema }) => schema === undefined)) throw new ForeignDatabaseError()
    return []
  }
  const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(db)
  return rows.map(({ name }) => name)
}
