/**
 * A lock between processes, which the kernel releases when its holder dies. It is an exclusive SQLite
 * transaction on an empty file, so it works wherever the embedded database works: Linux, macOS and Windows.
 */
import type { Database } from 'libsql'
import { readErrorCode } from '../../lib/error-code.ts'
import { openDatabaseFile } from './connection.ts'

/** Another process, or another owner in this one, holds the lock. */
export class FileLockedError extends Error {
  override readonly name = 'FileLockedError'
}

export interface FileLock {
  release(): void
}

/** References keep the connections from being garbage-collected, which would release their locks. */
const held = new Set<Database>()

/**
 * Acquires the lock at `path` without waiting. The file is created if needed, stays empty, and is never deleted (a deleted
 * file could be locked by two processes at once). Nothing else may open it: on POSIX systems, closing any handle of a
 * file drops all of the process's locks on it.
 * @throws {FileLockedError}
 * @throws if the file cannot be opened, or its file system has no locks.
 */
export function acquireFileLock(path: string): FileLock {
  const database = openDatabaseFile(path)
  try {
    // Nothing is written, so no journal is needed beside the file.
    database.exec('pragma busy_timeout = 0; pragma journal_mode = memory')
    database.exec('begin exclusive')
  } catch (error) {
    database.close()
    throw readErrorCode(error) === 'SQLITE_BUSY' ? new FileLockedError(`another process holds ${path}`) : error
  }
  held.add(database)
  return {
    release: () => {
      // A second release is a no-op.
      if (held.delete(database)) database.close()
    },
  }
}
