import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { Kysely, sql, SqliteDialect } from 'kysely'
import Database from 'libsql'
import type { Engine } from '../engine.ts'
import { migrate } from '../migrate.ts'
import type { Tables } from '../tables.ts'
import { createGroupCommit } from './group-commit.ts'
import { keepStatements } from './kept-statements.ts'
import { migrations } from './migrations.ts'
import { createWriteLock, whenLockIsFree } from './write-lock.ts'

/**
 * Opens the embedded database, made and migrated where needed. WAL with `synchronous=FULL`: what is committed is on
 * disk, also after a power cut.
 * @param onQuery called once for each statement that reached the engine.
 */
export async function openDatabase(path: string, onQuery: () => void): Promise<Engine> {
  if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const database = new Database(path)
  // A lock that is taken is waited for between calls, not within one that holds the event loop.
  database.exec(
    'pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 5; pragma foreign_keys = on',
  )
  const lock = createWriteLock(database)
  const db = new Kysely<Tables>({
    dialect: new SqliteDialect({ database: keepStatements(database) }),
    log: onQuery,
  })
  try {
    // Not the migrator's own transaction: that begins with a read, and two that start at once would both migrate.
    await whenLockIsFree(async () => lock.tryBegin() || null)
    await migrate(db, migrations, true)
    lock.commit()
  } catch (error) {
    await db.destroy()
    throw error
  }
  const write = createGroupCommit(database, lock, db)
  return {
    db,
    write,
    // The one writer writes alone.
    writeQueue: write,
    claim: async (act) => write('', act),
    // Read and written in one statement of a database with one writer: no place is given twice or seen out of order.
    nextChange: () => sql<number>`(select coalesce(max(change_seq), 0) + 1 from jobs)`,
    skipLocked: (rows) => rows,
    isUpstreamIdTaken: (error) =>
      error instanceof Error && 'code' in error && error.code === 'SQLITE_CONSTRAINT_UNIQUE',
  }
}
