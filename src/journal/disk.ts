/**
 * The hook journal as a file, one for each process: a line of JSON for each note, appended and synced. Notes that come
 * while a sync is under way share the next one. Lines of settled notes go when the file is written anew, and all go
 * when all are settled. A line that a crash cut off is one that was never answered. What a process left behind that is
 * no more is taken over by the next that starts; twice, when two start at once, which does no harm.
 */
import { randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, readFile, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type HookJournal, type HookNote, noteKey } from './hook-journal.ts'

export interface DiskHookJournal extends HookJournal {
  /** What is not settled stays for the next start. */
  close(): Promise<void>
}

/** Above this many unsettled notes a hook is refused: the upstream, or the schedule, comes again. */
const MAX_NOTES = 100_000
/** A file of more lines than this, and of more than twice what is unsettled, is written anew. */
const MANY_LINES = 10_000

/** The journals that this process has open. */
const openHere = new Set<string>()

/** @throws when the file cannot be written. */
export async function openDiskHookJournal(dir: string): Promise<DiskHookJournal> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const orphans = await listOrphans(dir)
  const left = parseLines((await Promise.all(orphans.map(readLeft))).join('\n'))
  const path = join(dir, `hooks-${process.pid}-${randomBytes(4).toString('hex')}.journal`)
  let file = await open(path, 'a')
  openHere.add(path)
  if (left.length > 0) await appendLines(file, left)
  await Promise.all(orphans.map(removeFile))
  /** Not settled yet; the promise resolves when the note is on disk. */
  const kept = new Map<string, { readonly note: HookNote; readonly synced: Promise<void> }>()
  for (const note of left) kept.set(noteKey(note), { note, synced: Promise.resolve() })
  let lines = left.length
  let batch: { readonly notes: HookNote[]; readonly synced: Promise<void> } | null = null
  /** Everything that touches the file happens one after the other. */
  let lastWork: Promise<void> = Promise.resolve()

  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const done = lastWork.then(work)
    lastWork = done.catch(() => undefined)
    return done
  }

  const append = (note: HookNote): Promise<void> => {
    if (!batch) {
      const notes: HookNote[] = []
      const synced = inTurn(async () => {
        batch = null
        await appendLines(file, notes)
        lines += notes.length
      })
      batch = { notes, synced }
    }
    batch.notes.push(note)
    return batch.synced
  }

  const tidy = async () => {
    if (kept.size === 0 && lines > 0) {
      await file.truncate(0)
      lines = 0
    } else if (lines > MANY_LINES && lines > 2 * kept.size) {
      const notes = [...kept.values()].map(({ note }) => note)
      const draft = await open(`${path}.draft`, 'w')
      await appendLines(draft, notes)
      await rename(`${path}.draft`, path)
      await file.close()
      file = draft
      lines = notes.length
    }
  }

  return {
    left,
    keep: async (note) => {
      const known = kept.get(noteKey(note))
      if (known) {
        await known.synced
        return false
      }
      if (kept.size >= MAX_NOTES) throw new Error('too many hooks are waiting')
      const synced = append(note)
      kept.set(noteKey(note), { note, synced })
      try {
        await synced
      } catch (error) {
        kept.delete(noteKey(note))
        throw error
      }
      return true
    },
    settle: (note) => {
      kept.delete(noteKey(note))
      // What could not be tidied is tidied with the next note that is settled.
      inTurn(tidy).catch(() => undefined)
    },
    close: async () => {
      await lastWork
      await file.close()
      if (kept.size === 0) await removeFile(path)
      openHere.delete(path)
    },
  }
}

/** The files of processes that are no more. */
async function listOrphans(dir: string): Promise<string[]> {
  const names = await readdir(dir)
  return names.flatMap((name) => {
    const pid = /^hooks-(\d+)-[0-9a-f]+\.journal$/.exec(name)?.[1]
    const path = join(dir, name)
    return pid === undefined || openHere.has(path) || isAnother(Number(pid)) ? [] : [path]
  })
}

/** Whether a process other than this one has the number. */
function isAnother(pid: number): boolean {
  if (pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

async function readLeft(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(ifMissing(''))
}

async function removeFile(path: string): Promise<void> {
  await unlink(path).catch(ifMissing(undefined))
}

/** Another process that starts at the same moment has taken the file over as well. */
function ifMissing<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return value
    throw error
  }
}

/** Each line begins with its line break: what was cut off before it spoils nothing. */
async function appendLines(file: FileHandle, notes: readonly HookNote[]): Promise<void> {
  await file.appendFile(notes.map((note) => `\n${JSON.stringify(note)}`).join(''))
  await file.datasync()
}

function parseLines(text: string): HookNote[] {
  const notes = new Map<string, HookNote>()
  for (const line of text.split('\n')) {
    const note = parseLine(line)
    if (note) notes.set(noteKey(note), note)
  }
  return [...notes.values()]
}

function parseLine(line: string): HookNote | null {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value !== 'object' || value === null || !('jobId' in value) || !('upstreamId' in value)) return null
    const { jobId, upstreamId } = value
    if (typeof jobId !== 'string' || (typeof upstreamId !== 'string' && upstreamId !== null)) return null
    return { jobId, upstreamId }
  } catch {
    // The line of a process that died in the middle of it, or the nothing before the first line.
    return null
  }
}
