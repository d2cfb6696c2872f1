import { closeSync, fdatasync, openSync } from 'node:fs'
import { promisify } from 'node:util'

/** The file that commits are appended to, as another handle of it. */
export interface WalFile {
  /** Resolves once all that has been committed is on disk; the event loop goes on meanwhile. */
  sync(): Promise<void>
  close(): void
}

const sync = promisify(fdatasync)

/** @param path of a database that is open and in WAL mode: until it is closed the file stays the same one. */
export function openWalFile(path: string): WalFile {
  const file = openSync(`${path}-wal`, 'r+')
  return { sync: async () => sync(file), close: () => closeSync(file) }
}

/** Of a database in memory. */
export const NO_WAL_FILE: WalFile = { sync: async () => {}, close: () => {} }
