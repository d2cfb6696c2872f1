import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { Kysely, sql, SqliteDialect } from 'kysely'
import Database from 'libsql'
import type { Engine } from '../engine.ts'
import { migrate } from '../migrate.ts'
import type { Tables } from '../tables.ts'
import { openAlone } from './alone.ts'
import { createGroupCommit } from './group-commit.ts'
import { keepStatements } from './kept-statements.ts'
import { migrations } from './migrations.ts'
import { NO_WAL_FILE, openWalFile } from './wal-file.ts'
import { createWriteLock, whenLockIsFree } from './write-lock.ts'

export interface SqliteEngine extends Engine {
  /** Another number each time after another process has written: of the file's header in memory, no query. */
  countForeign(): number
}

/**
 * Opens the embedded database, made and migrated where needed. The engine itself puts what is committed on disk when it
 * empties its WAL (`synchronous=NORMAL`); before that each commit is put there by us, off the event loop, and is answered
 * after it.
 * @param onQuery called once for each statement that reached the engine.
 */
export async function openDatabase(path: string, onQuery: () => void): Promise<SqliteEngine> {
  if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const database = new Database(path)
  // A lock that is taken is waited for between calls, not within one that holds the event loop.
  database.exec(
    'pragma journal_mode = wal; pragma synchronous = normal; pragma busy_timeout = 5; pragma foreign_keys = on',
  )
  const lock = createWriteLock(database)
  let wal = NO_WAL_FILE
  const kept = keepStatements(database, () => wal.close())
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: kept }), log: onQuery })
  try {
    // Not the migrator's own transaction: that begins with a read, and two that start at once would both migrate.
    await whenLockIsFree(async () => lock.tryBegin() || null)
    await migrate(db, migrations, true)
    lock.commit()
    // There since it was first read.
    if (path !== ':memory:') wal = openWalFile(path)
    await wal.sync()
  } catch (error) {
    await db.destroy()
    throw error
  }
  const write = createGroupCommit({ database, lock, db, alone: await openAlone(db, kept, onQuery), sync: wal.sync })
  const foreign = database.prepare('pragma data_version').raw(true)
  return {
    db,
    countForeign: oncePerTurn(() => Number(foreign.get())),
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

/** Whoever asks within one turn of the event loop is told the same: nothing that has come in since then is known yet. */
function oncePerTurn(read: () => number): () => number {
  let known: number | null = null
  return () => {
    if (known !== null) return known
    known = read()
    setImmediate(() => {
      known = null
    })
    return known
  }
}
