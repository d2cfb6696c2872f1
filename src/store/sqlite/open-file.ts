import Database from 'libsql'

/** Opens a database file, which is created if needed. @throws an error with SQLite's own code. */
export function openDatabaseFile(path: string): Database.Database {
  try {
    return new Database(path)
  } catch (error) {
    // The one error that libsql passes on with an empty code.
    if (error instanceof Error && 'code' in error && error.code === '')
      Object.assign(error, { code: 'SQLITE_CANTOPEN' })
    throw error
  }
}
