import { dirname } from 'node:path'
import { Kysely, sql, SqliteDialect } from 'kysely'
import type { Database } from 'libsql'
import { readErrorCode } from '../../lib/error-code.ts'
import { makeFolderSync } from '../../lib/files/make-folder.ts'
import type { Engine } from '../sql/engine.ts'
import { ForeignDatabaseError, migrate } from '../sql/migrate.ts'
import type { Tables } from '../sql/tables.ts'
import { openDedicatedConnection } from './dedicated-connection.ts'
import { acquireFileLock, type FileLock } from './file-lock.ts'
import { createGroupCommit } from './group-commit.ts'
import { cacheStatements } from './statement-cache.ts'
import { migrations } from './migrations.ts'
import { NO_WAL_FILE, openWalFile } from './wal-file.ts'
import { openDatabaseFile } from './open-file.ts'
import { createWriteLock, whenLockIsFree } from './write-lock.ts'

const UNLOCKED: FileLock = { release: () => {} }

/**
 * Opens the embedded database, made and migrated where needed. It belongs to one process at a time: a lock on the file
 * `<path>.lock` is held until it is closed. The engine itself puts what is committed on disk when it empties its WAL
 * (`synchronous=NORMAL`); before that each commit is put there by us, off the event loop, and is answered after it.
 * @param onQuery called once for each statement that reached the engine.
 * @throws {FileLockedError} if another process has it open.
 * @throws {ForeignDatabaseError} if it is the database of another program.
 */
export async function openDatabase(path: string, onQuery: () => void): Promise<Engine> {
  const isFile = path !== ':memory:'
  if (isFile) makeFolderSync(dirname(path))
  const processLock = isFile ? acquireFileLock(`${path}.lock`) : UNLOCKED
  let wal = NO_WAL_FILE
  let database: Database
  try {
    // Another program may hold it just now: a backup, or a reader that recovers the WAL of a killed process.
    database = await whenLockIsFree(async () => tryOpenFile(path))
  } catch (error) {
    processLock.release()
    throw error
  }
  const lock = createWriteLock(database)
  const kept = cacheStatements(database, () => {
    wal.close()
    processLock.release()
  })
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: kept }), log: onQuery })
  try {
    // In one transaction of our own: the migrator's begins with a read, and another program may write after it.
    await whenLockIsFree(async () => lock.tryBegin() || null)
    await migrate(db, migrations, true)
    lock.commit()
    // There since it was first read.
    if (isFile) wal = openWalFile(path)
    await wal.sync()
  } catch (error) {
    await db.destroy()
    processLock.release()
    throw error
  }
  const writes = createGroupCommit({
    database,
    lock,
    db,
    dedicated: await openDedicatedConnection(db, kept, onQuery),
    sync: wal.sync,
  })
  return {
    db,
    ...writes,
    // The embedded database has one writer.
    queue: writes,
    claim: async (act) => writes.write('', act),
    // Read and written in one statement of a database with one writer: no place is given twice or seen out of order.
    nextChange: () => sql<number>`(select coalesce(max(change_seq), 0) + 1 from jobs)`,
    skipLocked: (rows) => rows,
    isUpstreamIdTaken: (error) => readErrorCode(error) === 'SQLITE_CONSTRAINT_UNIQUE',
  }
}

/**
 * Null if another program has the whole file locked.
 * @throws {ForeignDatabaseError} if the file is not an SQLite database.
 */
function tryOpenFile(path: string): Database | null {
  const database = openDatabaseFile(path)
  try {
    // A lock that is taken is waited for between calls, not within one that holds the event loop.
    database.exec(
      'pragma busy_timeout = 5; pragma journal_mode = wal; pragma synchronous = normal; pragma foreign_keys = on',
    )
    return database
  } catch (error) {
    database.close()
    const code = readErrorCode(error)
    if (code.startsWith('SQLITE_BUSY')) return null
    throw code === 'SQLITE_NOTADB' ? new ForeignDatabaseError() : error
  }
}
