/**
 * Turns a startup failure into one line that names the setting to change. Only a bug of the gateway keeps its stack.
 */
import { resolve, sep } from 'node:path'
import { readErrorCode } from '../lib/error-code.ts'
import { ForeignDatabaseError } from '../store/sql/migrate.ts'
import { FileLockedError } from '../store/sqlite/file-lock.ts'
import type { Config } from './config.ts'
import { SettingError } from './env.ts'

/** Error codes of the system and the database, in words for operators. */
const FILE_PROBLEMS: Readonly<Record<string, string>> = {
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'it is on a read-only file system',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EISDIR: 'it is a folder, not a file',
  ENOENT: 'it does not exist and cannot be created',
  ELOOP: 'its symbolic links lead in a circle',
  ENAMETOOLONG: 'the path is too long',
  ERR_INVALID_ARG_VALUE: 'the path contains a null character',
  SQLITE_FULL: 'the disk is full',
  SQLITE_CANTOPEN: 'the file cannot be opened: it is a folder, or this user may not write there',
  SQLITE_READONLY: 'this user may not write there',
  SQLITE_BUSY: 'another program has locked the database, or it is damaged',
  SQLITE_CORRUPT: 'the database is damaged: restore it from a backup',
  SQLITE_IOERR: 'the disk reports an error, or has no locks',
}

const LISTEN_PROBLEMS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is in use by another process. Stop that process, or choose another port.',
  EACCES: 'may not be used by this user: ports below 1024 need special rights.',
}

const HOST_PROBLEMS: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: 'is not an address of this machine.',
  ENOTFOUND: 'cannot be resolved to an address.',
  EAI_AGAIN: 'cannot be resolved to an address: the name server does not respond.',
  EINVAL: 'is not an address that can be listened on.',
}

/** Describes an error of the file system or the database in words; a rare error by its code. */
export function describeFileProblem(error: unknown): string {
  const code = readErrorCode(error)
  return FILE_PROBLEMS[code] ?? FILE_PROBLEMS[code.split('_').slice(0, 2).join('_')] ?? (code || String(error))
}

/** @param config null if the start failed before the settings were read. */
export function toStartLine(error: unknown, config: Config | null): string {
  const settled = error instanceof SettingError ? error : config && findSetting(error, config)
  if (settled) return settled.message.replaceAll(/\s*[\r\n]\s*/g, ' ')
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

function findSetting(error: unknown, config: Config): SettingError | null {
  if (!(error instanceof Error)) return null
  const code = readErrorCode(error)
  if ('syscall' in error && (error.syscall === 'listen' || error.syscall === 'getaddrinfo')) {
    return findListenSetting(error, code, config)
  }
  if (error instanceof FileLockedError) {
    return new SettingError(
      'DATABASE_URL',
      'names a database that another gateway process uses. Stop that process first.',
    )
  }
  if (error instanceof ForeignDatabaseError) {
    return new SettingError(databaseSetting(config), 'names a database of another program. Choose another path.')
  }
  if (code.startsWith('SQLITE_')) {
    return new SettingError(databaseSetting(config), `cannot be used: ${describeFileProblem(error)}.`)
  }
  if (!(code in FILE_PROBLEMS) || !('path' in error) || typeof error.path !== 'string') return null
  const name = findFolderSetting(resolve(error.path), config)
  return name === null ? null : new SettingError(name, `cannot be used: ${describeFileProblem(error)}.`)
}

function findListenSetting(error: Error, code: string, config: Config): SettingError | null {
  const problem = LISTEN_PROBLEMS[code]
  const port = 'port' in error ? error.port : null
  if (problem !== undefined && port === config.port) return new SettingError('PORT', `${config.port} ${problem}`)
  if (problem !== undefined && port === config.localUpstreamPort) {
    return new SettingError('LOCAL_UPSTREAM_PORT', `${config.localUpstreamPort} ${problem}`)
  }
  if (problem !== undefined && port === config.adminPort) {
    return new SettingError('ADMIN_PORT', `${port} ${problem} ADMIN_PORT=0 turns the metrics off.`)
  }
  const hostProblem = HOST_PROBLEMS[code]
  if (hostProblem === undefined) return null
  const isAdmin =
    (port !== 0 && port === config.adminPort) || ('hostname' in error && error.hostname === config.adminHost)
  const [name, host] =
    isAdmin && config.adminHost !== config.host ? ['ADMIN_HOST', config.adminHost] : ['HOST', config.host]
  return new SettingError(name, `"${host}" ${hostProblem}`)
}

function findFolderSetting(path: string, config: Config): string | null {
  const images = config.blobUrl.startsWith('file:') ? resolve(config.blobUrl.slice('file:'.length)) : null
  if (isWithin(config.dataDir, path)) return 'DATA_DIR'
  // Or one of its parents, which could not be created.
  if (images !== null && (isWithin(images, path) || isWithin(path, images))) return 'BLOB_URL'
  return config.databasePath !== null && (path.startsWith(config.databasePath) || isWithin(path, config.databasePath))
    ? 'DATABASE_URL'
    : null
}

/** The embedded database is in DATA_DIR unless DATABASE_URL moves it. */
function databaseSetting({ databasePath, dataDir }: Config): string {
  return databasePath !== null && isWithin(dataDir, databasePath) ? 'DATA_DIR' : 'DATABASE_URL'
}

function isWithin(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder + sep)
}
