import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { Kysely, Migrator, SqliteDialect } from 'kysely'
import Database from 'libsql'
import type { Engine } from '../kysely-job-store.ts'
import type { Tables } from '../tables.ts'
import { createGroupCommit } from './group-commit.ts'
import { keepStatements } from './kept-statements.ts'
import { migrations } from './migrations.ts'

/**
 * Opens the embedded database, made and migrated where needed. WAL with `synchronous=FULL`: what is committed is on
 * disk, also after a power cut.
 * @param onQuery called once for each statement that reached the engine.
 */
export async function openDatabase(path: string, onQuery: () => void): Promise<Engine> {
  if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const database = new Database(path)
  database.exec(
    'pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 5000; pragma foreign_keys = on',
  )
  const db = new Kysely<Tables>({
    dialect: new SqliteDialect({ database: keepStatements(database) }),
    log: onQuery,
  })
  try {
    const { error } = await new Migrator({ db, provider: { getMigrations: async () => migrations } }).migrateToLatest()
    if (error) throw error
  } catch (error) {
    await db.destroy()
    throw error
  }
  // From here on a lock that is taken is waited for between calls, not within one that holds the event loop.
  database.exec('pragma busy_timeout = 5')
  return {
    db,
    write: createGroupCommit(database, db),
    isUniqueViolation: (error) =>
      error instanceof Error && 'code' in error && error.code === 'SQLITE_CONSTRAINT_UNIQUE',
  }
}
