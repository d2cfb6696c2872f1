import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

import { writeDurably } from '../../../src/lib/files/durable-file.ts'

export interface ResultStore {
  /** Writes a file atomically; resolves when it is on disk. */
  put(file: string, bytes: Uint8Array): Promise<void>
  /** Returns the full path of a stored file. */
  toPath(file: string): string
  /** Deletes the results of the days before `before` (epoch milliseconds). */
  forget(before: number): Promise<void>
}

/** Stores result images below `dir`, one folder per day (`2026-01-31`), so that expiry deletes whole folders. */
export function createResultStore(dir: string): ResultStore {
  const toPath = (file: string) => join(dir, file)

  return {
    toPath,
    put: (file, bytes) => writeDurably(toPath(file), bytes),
    forget: async (before) => {
      const firstRetained = new Date(before).toISOString().slice(0, 10)
      const days = (await readdir(dir)).filter((day) => /^\d{4}-\d{2}-\d{2}$/.test(day) && day < firstRetained)
      await Promise.all(days.map((day) => rm(toPath(day), { recursive: true, force: true })))
    },
  }
}
