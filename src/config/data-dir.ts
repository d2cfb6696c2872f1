/**
 * Opens DATA_DIR for this process: creates it, checks that files can be written to it, and locks it. A DATA_DIR belongs
 * to one process at a time, with either database; the kernel releases the lock when the process dies.
 */
import { randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from '../lib/files/make-folder.ts'
import { acquireFileLock, type FileLock, FileLockedError } from '../store/sqlite/file-lock.ts'
import { SettingError } from './env.ts'
import { describeFileProblem } from './start-error.ts'

/** A network file system that does not respond would block the start forever. */
const TIMEOUT_MS = 10_000
/** Enough for a file system to notice that it is full. */
const PROBE_BYTES = 4_096

/** @throws {SettingError} if the folder cannot be used, or another process uses it. */
export async function openDataDir(path: string, withinMs: number = TIMEOUT_MS): Promise<FileLock> {
  await within(withinMs, prepareFolder(path))
  try {
    return acquireFileLock(join(path, 'lock.db'))
  } catch (error) {
    throw new SettingError(
      'DATA_DIR',
      error instanceof FileLockedError
        ? 'is in use by another gateway process. Stop that process, or set another folder for this one. Several processes must share a PostgreSQL database (DATABASE_URL).'
        : `cannot be locked: ${describeFileProblem(error)}. Use a file system that supports locks, preferably on a local disk.`,
    )
  }
}

async function prepareFolder(path: string): Promise<void> {
  try {
    await makeFolder(path)
    const probe = join(path, `.probe-${randomBytes(4).toString('hex')}`)
    try {
      await writeFile(probe, Buffer.alloc(PROBE_BYTES), { flag: 'wx', mode: 0o600 })
    } finally {
      await rm(probe, { force: true })
    }
  } catch (error) {
    throw new SettingError('DATA_DIR', `cannot be used: ${describeFileProblem(error)}.`)
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const problem = `cannot be used: its file system has not responded for ${ms / 1_000} s.`
      reject(new SettingError('DATA_DIR', problem))
    }, ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
