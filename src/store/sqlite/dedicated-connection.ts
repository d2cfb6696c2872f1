import { type DatabaseConnection, Kysely, SqliteDialect, type SqliteDatabase } from 'kysely'
import type { Tables } from '../sql/tables.ts'

/**
 * The database for whoever has been given it to himself. A connection that is asked for anew by each statement, and waited
 * for, costs as much as the statement; this is one that is there.
 * @param db whose queries are waited for as long as somebody has this one.
 */
export async function openDedicatedConnection(
  db: Kysely<Tables>,
  database: SqliteDatabase,
  onQuery: () => void,
): Promise<Kysely<Tables>> {
  const dialect = new SqliteDialect({ database })
  const driver = dialect.createDriver()
  await driver.init()
  const connection = await driver.acquireConnection()
  const counted: DatabaseConnection = {
    executeQuery: async (query) => {
      onQuery()
      return connection.executeQuery(query)
    },
    streamQuery: (query, chunkSize) => connection.streamQuery(query, chunkSize),
  }
  const executor = db.getExecutor().withConnectionProvider({ provideConnection: async (consume) => consume(counted) })
  return new Kysely<Tables>({ config: { dialect }, dialect, driver, executor })
}
