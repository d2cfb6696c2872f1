/**
 * Blobs as files below one folder; the key is the path. A file is renamed to its key after it is synced, so a crash
 * leaves at most `<name>~<random>.part`, and no key has a `~`. A key is never also the folder of another key. Empty
 * folders stay: removing one would race with a put into it.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, type Stats } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat, statfs, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { readErrorCode } from '../lib/error-code.ts'
import { systemClock } from '../lib/time/clock.ts'
import { syncFolder, writeAndSync } from '../lib/files/durable-file.ts'
import { makeFolderSync } from '../lib/files/make-folder.ts'
import { checkKey, checkRange, isKey } from './blob-key.ts'
import type { BlobStore, StoredBlob } from './blob-store.ts'

const LEFTOVER = /~[0-9a-f]+\.part$/
const LEFTOVER_AFTER_MS = 3_600_000

/** Opens the store; creates its folder if needed, closed to other users of the machine. */
export function openDiskBlobStore(folder: string): BlobStore {
  const root = resolve(folder)
  makeRoot(root)
  return {
    put: async (key, bytes) => {
      checkKey(key)
      const path = join(root, key)
      const parent = dirname(path)
      await mkdir(parent, { recursive: true, mode: 0o700 })
      const temporary = `${path}~${randomBytes(4).toString('hex')}.part`
      try {
        await writeAndSync(temporary, bytes, 0o600)
        await rename(temporary, path)
      } catch (error) {
        await rm(temporary, { force: true })
        throw error
      }
      // Up to the root each time: a concurrent put may have created a folder without having synced it yet.
      for (let made = parent; ; made = dirname(made)) {
        await syncFolder(made)
        if (made === root) break
      }
    },

    open: async (key, range) => {
      checkKey(key)
      const file = await nullIfAbsent(open(join(root, key), 'r'))
      if (file === null) return null
      try {
        const stats = await file.stat()
        if (stats.isFile()) {
          if (range) checkRange(range, stats.size)
          const part = range ? { start: range.start, end: range.end } : {}
          return { byteLength: stats.size, stream: file.createReadStream(part) }
        }
      } catch (error) {
        await file.close()
        throw error
      }
      await file.close()
      return null
    },

    delete: async (key) => {
      checkKey(key)
      const path = join(root, key)
      const stats = await nullIfAbsent(stat(path))
      if (!stats?.isFile()) return
      await nullIfAbsent(unlink(path))
      // Otherwise an erased blob could return after a power failure.
      await syncFolder(dirname(path))
    },

    list: async (after, limit) => {
      const blobs: StoredBlob[] = []
      if (limit < 1) return blobs
      for await (const path of walk(root, '', after)) {
        const stats = isKey(path) ? await nullIfAbsent(stat(join(root, path))) : null
        if (stats) blobs.push({ key: path, at: Math.floor(stats.mtimeMs), byteLength: stats.size })
        if (blobs.length >= limit) break
      }
      return blobs
    },

    freeBytes: async () => {
      const { bavail, bsize } = await statfs(root)
      return bavail * bsize
    },

    sweep: async () => {
      for await (const path of walk(root, '', null)) {
        if (!LEFTOVER.test(path)) continue
        const stats = await nullIfAbsent(stat(join(root, path)))
        if (stats && isOld(stats)) await rm(join(root, path), { force: true })
      }
    },
  }
}

/** Yields the paths of the files, relative to the root and in the order of their keys, after `after`. */
async function* walk(root: string, below: string, after: string | null): AsyncGenerator<string> {
  const entries = (await nullIfAbsent(readdir(join(root, below), { withFileTypes: true }))) ?? []
  const paths = entries.flatMap((entry) => {
    const path = below + entry.name
    if (entry.isFile()) return [path]
    // A folder that no put has created, such as `lost+found`, may not be readable.
    return entry.isDirectory() && isKey(path) ? [`${path}/`] : []
  })
  // A folder is compared with its `/`, so that `a-b` comes before the content of `a/`, as among keys.
  for (const path of paths.toSorted((a, b) => (a < b ? -1 : 1))) {
    if (path.endsWith('/')) {
      const isAllBefore = after !== null && path < after && !after.startsWith(path)
      if (!isAllBefore) yield* walk(root, path, after)
    } else if (after === null || path > after) {
      yield path
    }
  }
}

function isOld(stats: Stats): boolean {
  return systemClock.now() - stats.mtimeMs > LEFTOVER_AFTER_MS
}

function makeRoot(root: string): void {
  const first = makeFolderSync(root)
  if (first === null || process.platform === 'win32') return
  for (let made = root; ; made = dirname(made)) {
    const descriptor = openSync(dirname(made), 'r')
    try {
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    if (made === first) break
  }
}

/** Null if the path does not exist, or if one of its folders is a file. */
async function nullIfAbsent<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work
  } catch (error) {
    const code = readErrorCode(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    throw error
  }
}
