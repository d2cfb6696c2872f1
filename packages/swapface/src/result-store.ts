import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

import { writeDurably } from '../../../src/lib/files/durable-file.ts'

export interface ResultStore {
  /** Resolves once the file is on disk; a reader never sees half of it. */
  put(file: string, bytes: Uint8Array): Promise<void>
  /** Where a stored file lies. */
  toPath(file: string): string
  /** Removes the results of the days before `before` (epoch milliseconds). */
  forget(before: number): Promise<void>
}

/** Keeps result images below `dir`, one folder for each day (`2026-01-31`), so that ageing is removing folders. */
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
