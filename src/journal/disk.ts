/**
 * The hook journal as a file: a line of JSON per record, appended and synced. Records that arrive during a sync share
 * the next one. Rewriting the file removes settled records; when all are settled, the file is truncated. A line that a
 * crash cut off was never acknowledged. The folder belongs to one process (the lock of DATA_DIR), so every journal in
 * it belongs to this process or to a process that has ended.
 */
import { constants } from 'node:fs'
import { type FileHandle, open, readdir, readFile, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { syncFolder } from '../lib/files/durable-file.ts'
import { makeFolder } from '../lib/files/make-folder.ts'
import { type HookJournal, type HookRecord, toRecordKey } from './hook-journal.ts'

export interface DiskHookJournal extends HookJournal {
  /** Size of the file. */
  sizeBytes(): Promise<number>
  /** Unsettled records stay for the next start. */
  close(): Promise<void>
}

/** With this many unsettled records, further hooks are refused: the upstream may retry them, or a poll finds the result. */
const MAX_RECORDS = 100_000
/** A file with more lines than this is rewritten if fewer than half of them are unsettled. */
const MANY_LINES = 10_000

const FILE_NAME = 'hooks.journal'

/**
 * Opens the journal in `dir` and takes over what earlier processes left unsettled there. The caller must hold the lock
 * of `dir`.
 * @throws if the file cannot be written.
 */
export async function openDiskHookJournal(dir: string): Promise<DiskHookJournal> {
  await makeFolder(dir)
  const earlier = await listJournals(dir)
  const left = parseLines((await Promise.all(earlier.map(async (path) => readFile(path, 'utf8')))).join('\n'))
  const path = join(dir, FILE_NAME)
  let file = await rewrite(path, left)
  await Promise.all(earlier.filter((one) => one !== path).map(async (one) => unlink(one)))
  /** Unsettled records; `synced` resolves when the record is on disk. */
  const unsettled = new Map<string, { readonly record: HookRecord; readonly synced: Promise<void> }>()
  for (const record of left) unsettled.set(toRecordKey(record), { record, synced: Promise.resolve() })
  let lines = left.length
  let batch: { readonly records: HookRecord[]; readonly synced: Promise<void> } | null = null
  /** Operations on the file run one after the other. */
  let lastWork: Promise<void> = Promise.resolve()

  const runInOrder = (work: () => Promise<void>): Promise<void> => {
    const done = lastWork.then(work)
    lastWork = done.catch(() => undefined)
    return done
  }

  const append = (record: HookRecord): Promise<void> => {
    if (!batch) {
      const records: HookRecord[] = []
      const synced = runInOrder(async () => {
        batch = null
        await appendLines(file, records)
        lines += records.length
      })
      batch = { records, synced }
    }
    batch.records.push(record)
    return batch.synced
  }

  const tidy = async () => {
    if (unsettled.size === 0 && lines > 0) {
      await file.truncate(0)
      lines = 0
    } else if (lines > MANY_LINES && lines > 2 * unsettled.size) {
      const records = [...unsettled.values()].map(({ record }) => record)
      const replaced = file
      file = await rewrite(path, records)
      await replaced.close()
      lines = records.length
    }
  }

  return {
    left,
    keep: async (record) => {
      const known = unsettled.get(toRecordKey(record))
      if (known) {
        await known.synced
        return false
      }
      if (unsettled.size >= MAX_RECORDS) throw new Error('the journal has too many unsettled hooks')
      const synced = append(record)
      unsettled.set(toRecordKey(record), { record, synced })
      try {
        await synced
      } catch (error) {
        unsettled.delete(toRecordKey(record))
        throw error
      }
      return true
    },
    settle: (record) => {
      unsettled.delete(toRecordKey(record))
      // A failure is harmless: the next settled record causes another attempt.
      runInOrder(tidy).catch(() => undefined)
    },
    sizeBytes: async () => (await file.stat()).size,
    close: async () => {
      await lastWork
      await file.close()
      if (unsettled.size === 0) await unlink(path)
    },
  }
}

/** Earlier versions had a file for each process: `hooks-<process>-<random>.journal`. */
async function listJournals(dir: string): Promise<string[]> {
  const names = await readdir(dir)
  return names.filter((name) => /^hooks(?:-[\w-]+)?\.journal$/.test(name)).map((name) => join(dir, name))
}

/** Replaces the file atomically: a crash leaves the old file or the new one, complete. */
async function rewrite(path: string, records: readonly HookRecord[]): Promise<FileHandle> {
  const { O_APPEND, O_CREAT, O_TRUNC, O_WRONLY } = constants
  // O_APPEND: otherwise the first write after a truncation would leave a hole before it.
  const draft = await open(`${path}.draft`, O_APPEND | O_CREAT | O_TRUNC | O_WRONLY, 0o600)
  try {
    if (records.length > 0) await appendLines(draft, records)
    await rename(`${path}.draft`, path)
    await syncFolder(dirname(path))
    return draft
  } catch (error) {
    await draft.close()
    throw error
  }
}

/** Each line begins with its line break, so a line cut off before it corrupts no other. */
async function appendLines(file: FileHandle, records: readonly HookRecord[]): Promise<void> {
  await file.appendFile(records.map((record) => `\n${JSON.stringify(record)}`).join(''))
  await file.datasync()
}

function parseLines(text: string): HookRecord[] {
  const records = new Map<string, HookRecord>()
  for (const line of text.split('\n')) {
    const record = parseLine(line)
    if (record) records.set(toRecordKey(record), record)
  }
  return [...records.values()]
}

function parseLine(line: string): HookRecord | null {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value !== 'object' || value === null || !('jobId' in value) || !('upstreamId' in value)) return null
    const { jobId, upstreamId } = value
    if (typeof jobId !== 'string' || (typeof upstreamId !== 'string' && upstreamId !== null)) return null
    return { jobId, upstreamId }
  } catch {
    // A line cut off by a crash, or the empty text before the first line break.
    return null
  }
}
