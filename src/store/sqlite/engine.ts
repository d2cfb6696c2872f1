import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Kysely, sql, SqliteDialect } from 'kysely'
import type { Database } from 'libsql'
import { readErrorCode } from '../../lib/error-code.ts'
import { makeFolderSync } from '../../lib/files/make-folder.ts'
import type { Engine } from '../sql/engine.ts'
import { migrate } from '../sql/migrate.ts'
import type { Tables } from '../sql/tables.ts'
import {
  cacheStatements,
  createWriteLock,
  NO_WAL_FILE,
  openDedicatedConnection,
  openWalFile,
  tryOpenConnection,
  whenLockIsFree,
} from './connection.ts'
import { acquireFileLock, type FileLock } from './file-lock.ts'
import { createGroupCommit } from './group-commit.ts'
import { migrations } from './migrations.ts'

const UNLOCKED: FileLock = { release: () => {} }

/**
 * Opens the embedded database; creates and migrates it if needed. It belongs to one process at a time: a lock on the
 * file `<path>.lock` is held until it is closed. SQLite itself syncs commits only before it empties its WAL
 * (`synchronous=NORMAL`); the gateway syncs each commit off the event loop, and resolves its writes after that.
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
    // Another program may hold the lock: a backup, or a reader that recovers the WAL of a killed process.
    database = await whenLockIsFree(async () => tryOpenConnection(path))
  } catch (error) {
    processLock.release()
    throw error
  }
  const lock = createWriteLock(database)
  const cached = cacheStatements(database, () => {
    wal.close()
    processLock.release()
  })
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: cached }), log: onQuery })
  try {
    // In our own transaction: the migrator's begins with a read, and another program may write before it does.
    await whenLockIsFree(async () => lock.tryBegin() || null)
    await migrate(db, migrations, true)
    lock.commit()
    // The WAL file exists after the first read.
    if (isFile) wal = openWalFile(path)
    await wal.sync()
  } catch (error) {
    await db.destroy()
    processLock.release()
    throw error
  }
  const dedicated = await openDedicatedConnection(db, cached, onQuery)
  const writes = createGroupCommit({ database, lock, db, dedicated, sync: wal.sync })
  return {
    db,
    ...writes,
    // The embedded database has one writer.
    queue: writes,
    claim: async (act) => writes.write('', act),
    // One statement reads and writes it, in a database with one writer: no sequence is assigned twice or out of order.
    nextChange: () => sql<number>`(select coalesce(max(change_seq), 0) + 1 from jobs)`,
    skipLocked: (rows) => rows,
    sizeBytes: async () => {
      const files = isFile ? await Promise.all([path, `${path}-wal`].map(async (file) => stat(file))) : []
      return files.reduce((total, { size }) => total + size, 0)
    },
    isUpstreamIdTaken: (error) => readErrorCode(error) === 'SQLITE_CONSTRAINT_UNIQUE',
  }
}
