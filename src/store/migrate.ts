import { type Kysely, type Migration, Migrator, sql } from 'kysely'
import type { Tables } from './tables.ts'

/**
 * Carries out what has not been yet. Migrations that a newer version has carried out are let be: it takes nothing away
 * that this one needs, so that processes can be replaced one after the other.
 * @param disableTransactions for whoever has begun one.
 */
export async function migrate(
  db: Kysely<Tables>,
  migrations: Readonly<Record<string, Migration>>,
  disableTransactions: boolean,
): Promise<void> {
  // Before the migrator begins: it holds on to the connection, and an embedded database has one.
  const newer = (await listExecuted(db)).filter((name) => !(name in migrations))
  const all = { ...migrations, ...Object.fromEntries(newer.map((name) => [name, { up: async () => {} }])) }
  const provider = { getMigrations: async () => all }
  const { error } = await new Migrator({ db, provider, disableTransactions }).migrateToLatest()
  if (error) throw error
}

async function listExecuted(db: Kysely<Tables>): Promise<string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true })
  if (!tables.some(({ name }) => name === 'kysely_migration')) return []
  const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(db)
  return rows.map(({ name }) => name)
}
