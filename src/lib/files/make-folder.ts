/**
 * Creates a folder and its parents, one level at a time. Node's own `recursive` option loops forever if the system
 * returns ENOENT for a folder whose parent exists, as Linux does below /proc.
 */
import { mkdirSync, statSync } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { readErrorCode } from '../error-code.ts'

/** Readable by the owner only. */
const MODE = 0o700

/**
 * @returns the topmost folder that was created; null if the folder existed.
 * @throws the system's error, ENOTDIR if a part of the path is a file.
 */
export async function makeFolder(path: string): Promise<string | null> {
  const missing: string[] = []
  for (let at = resolve(path); !(await exists(stat(at))); at = dirname(at)) missing.unshift(at)
  for (const folder of missing) await mkdir(folder, MODE).catch(throwUnlessExists)
  requireFolder(path, await stat(path))
  return missing[0] ?? null
}

/** Synchronous `makeFolder`. */
export function makeFolderSync(path: string): string | null {
  const missing: string[] = []
  for (let at = resolve(path); !statSync(at, { throwIfNoEntry: false }); at = dirname(at)) missing.unshift(at)
  for (const folder of missing) {
    try {
      mkdirSync(folder, MODE)
    } catch (error) {
      throwUnlessExists(error)
    }
  }
  requireFolder(path, statSync(path))
  return missing[0] ?? null
}

async function exists(found: Promise<unknown>): Promise<boolean> {
  try {
    await found
    return true
  } catch (error) {
    if (readErrorCode(error) === 'ENOENT') return false
    throw error
  }
}

/** Another process may have created the same folder in the meantime. */
function throwUnlessExists(error: unknown): void {
  if (readErrorCode(error) !== 'EEXIST') throw error
}

function requireFolder(path: string, stats: { isDirectory(): boolean }): void {
  if (!stats.isDirectory()) throw Object.assign(new Error(`${path} is not a folder`), { code: 'ENOTDIR', path })
}
