/**
 * The connection to the embedded database. It adds to libsql and Kysely: opening without blocking the event loop, a cache
 * of prepared statements, transactions that begin with the write lock, and syncing commits in another thread.
 */
import { closeSync, fdatasync, openSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type DatabaseConnection, Kysely, type SqliteDatabase, SqliteDialect, type SqliteStatement } from 'kysely'
import Database from 'libsql'
import { readErrorCode } from '../../lib/error-code.ts'
import { ForeignDatabaseError } from '../sql/migrate.ts'
import type { Tables } from '../sql/tables.ts'

/** How long to wait for another program's lock, and the interval between attempts. */
const LOCK_TIMEOUT_MS = 5_000
const TRY_EVERY_MS = 20
/** Cached statements. Lists of different lengths have different texts; all other texts are far fewer. */
const MAX_STATEMENTS = 200

/** Opens a database file, which is created if needed. @throws an error with SQLite's own code. */
export function openDatabaseFile(path: string): Database.Database {
  try {
    return new Database(path)
  } catch (error) {
    // The one error that libsql reports with an empty code.
    if (error instanceof Error && 'code' in error && error.code === '')
      Object.assign(error, { code: 'SQLITE_CANTOPEN' })
    throw error
  }
}

/**
 * Opens the database in WAL mode; null if another program has the whole file locked.
 * @throws {ForeignDatabaseError} if the file is not an SQLite database.
 */
export function tryOpenConnection(path: string): Database.Database | null {
  const database = openDatabaseFile(path)
  try {
    // A short `busy_timeout`: a call blocks the event loop, so `whenLockIsFree` waits between calls.
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

/**
 * Retries `act` while it returns null, which means that another program holds the lock. Does not block the event loop
 * between attempts.
 * @throws code SQLITE_BUSY if the lock is not released within 5 s.
 */
export async function whenLockIsFree<T>(act: () => Promise<T | null>): Promise<T> {
  const until = performance.now() + LOCK_TIMEOUT_MS
  for (;;) {
    const result = await act()
    if (result !== null) return result
    if (performance.now() > until) {
      const error = new Error('another program did not release the lock of the database in time')
      throw Object.assign(error, { code: 'SQLITE_BUSY' })
    }
    await delay(TRY_EVERY_MS)
  }
}

/** Transactions that hold the write lock. */
export interface WriteLock {
  /**
   * Begins a transaction that holds the lock; false if another program holds it. Uses `begin immediate`: a statement that
   * finds the database locked within a transaction stays open, and until it is closed no commit of this connection
   * succeeds.
   */
  tryBegin(): boolean
  commit(): void
  rollback(): void
}

export function createWriteLock(database: Database.Database): WriteLock {
  const begin = database.prepare('begin immediate')
  const commit = database.prepare('commit')
  const rollback = database.prepare('rollback')
  return {
    tryBegin: () => {
      try {
        begin.run()
        return true
      } catch (error) {
        if (readErrorCode(error) === 'SQLITE_BUSY') return false
        throw error
      }
    },
    commit: () => {
      commit.run()
    },
    rollback: () => {
      // On a full disk SQLite has already rolled back.
      if (database.inTransaction) rollback.run()
    },
  }
}

/** A second handle of the WAL file, to which commits are appended. */
export interface WalFile {
  /** Resolves once all commits are on disk; runs in the thread pool. */
  sync(): Promise<void>
  close(): void
}

const syncFile = promisify(fdatasync)

/** @param path of a database open in WAL mode: until it is closed, its WAL file is not replaced. */
export function openWalFile(path: string): WalFile {
  const file = openSync(`${path}-wal`, 'r+')
  return { sync: async () => syncFile(file), close: () => closeSync(file) }
}

/** For a database in memory. */
export const NO_WAL_FILE: WalFile = { sync: async () => {}, close: () => {} }

/** Adapts the database to Kysely, with an LRU cache of statements: preparing one costs more than running it. */
export function cacheStatements(database: Database.Database, onClose: () => void): SqliteDatabase {
  const cached = new Map<string, SqliteStatement>()
  return {
    prepare: (text) => {
      const statement = cached.get(text) ?? prepare(database, text)
      cached.delete(text)
      cached.set(text, statement)
      const [leastRecent] = cached.keys()
      if (leastRecent !== undefined && cached.size > MAX_STATEMENTS) cached.delete(leastRecent)
      return statement
    },
    close: () => {
      database.close()
      onClose()
    },
  }
}

function prepare(database: Database.Database, text: string): SqliteStatement {
  const statement = database.prepare(text)
  // Read once: each read calls into the engine.
  const { reader } = statement
  const names = reader ? statement.columns().map(({ name }) => name) : []
  // Raw mode: with a name for each value of each row, the engine takes twice as long.
  if (reader) statement.raw(true)
  const all = (parameters: readonly unknown[]): unknown[] =>
    statement.all(parameters).map((values: unknown) => toRow(names, Array.isArray(values) ? values : []))
  return {
    reader,
    all,
    run: (parameters) => statement.run(parameters),
    iterate: (parameters) => all(parameters)[Symbol.iterator](),
  }
}

function toRow(names: readonly string[], values: readonly unknown[]): Record<string, unknown> {
  const row: Record<string, unknown> = {}
  for (let n = 0; n < names.length; n += 1) row[names[n] ?? ''] = values[n]
  return row
}

/**
 * Opens a Kysely instance for the holder of the connection of `db`. Acquiring the connection for each statement would
 * cost as much as the statement.
 * @param db its connection must be acquired by the caller while this instance is used.
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
