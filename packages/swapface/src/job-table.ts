/**
 * The jobs as they are kept: one row for each, in an embedded database with a
 * write-ahead log and full syncs, so that what a method has returned from is
 * on disk. The row is the truth for queue, fetch and hook alike.
 *
 *   (none) → ON_QUEUE → SUCCESS | FAILED     a finished row never changes its status
 *
 * The hook of a job is owed from the moment it finishes (`hook_due_at`) and
 * counted before each notification is sent: a crash may lose one, never add one.
 */
import Database from 'libsql'
import * as z from 'zod'

import type { ResultPaths } from './result-links.ts'

const jobRow = z.object({
  /** The order of submit. */
  n: z.number(),
  jobId: z.string(),
  targetImage: z.string(),
  swapImage: z.string(),
  hookUrl: z.string().nullable(),
  status: z.enum(['ON_QUEUE', 'SUCCESS', 'FAILED']),
  /** Why it FAILED, in words for the caller; null otherwise. */
  message: z.string().nullable(),
  /** Both set once it is a SUCCESS. */
  discordPath: z.string().nullable(),
  cdnPath: z.string().nullable(),
  /** How often it has been started; more than once only where a process ended in between. */
  starts: z.number(),
  /** How many notifications have been begun. */
  hookAttempts: z.number(),
})

const valueRow = z.object({ value: z.number().nullable() })

export type Job = Readonly<z.infer<typeof jobRow>>
export type NewJob = Pick<Job, 'jobId' | 'targetImage' | 'swapImage' | 'hookUrl'>
export type Outcome =
  | { readonly status: 'SUCCESS'; readonly paths: ResultPaths }
  /** `code` is for the log and not stored. */
  | { readonly status: 'FAILED'; readonly message: string; readonly code: string }

export interface JobTable {
  /** Adds a waiting job; false when its id is taken. */
  add(job: NewJob, now: number): boolean
  find(jobId: string): Job | null
  /** How many jobs are not finished. */
  countUnfinished(): number
  /** The first unfinished job that was submitted after job `n`. */
  findNext(n: number): Job | null
  countStart(n: number): void
  uncountStart(n: number): void
  /** Finishes a job, and makes its hook due at once where it has one; false when it was finished already. */
  finish(n: number, outcome: Outcome, now: number): boolean
  /** Jobs whose hook is owed, the longest due first. */
  listHooksDue(now: number, limit: number): readonly Job[]
  /** When the next hook after `now` is due; null when none is owed. */
  findNextHookDue(now: number): number | null
  /** Counts one notification, and says when the next one is due; null: this was the last one. */
  countHookAttempt(n: number, nextDueAt: number | null): void
  /** Says anew when the next notification is due. */
  moveHook(n: number, dueAt: number): void
  endHook(n: number): void
  /** Forgets jobs that finished before `before` and whose hook is no longer owed; answers how many. */
  forgetFinished(before: number): number
  close(): void
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS jobs (
    n             INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id        TEXT NOT NULL UNIQUE,
    target_image  TEXT NOT NULL,
    swap_image    TEXT NOT NULL,
    hook_url      TEXT,
    status        TEXT NOT NULL DEFAULT 'ON_QUEUE' CHECK (status IN ('ON_QUEUE', 'SUCCESS', 'FAILED')),
    message       TEXT,
    discord_path  TEXT,
    cdn_path      TEXT,
    starts        INTEGER NOT NULL DEFAULT 0,
    submitted_at  INTEGER NOT NULL,
    finished_at   INTEGER,
    hook_attempts INTEGER NOT NULL DEFAULT 0,
    hook_due_at   INTEGER
  ) STRICT;
  CREATE INDEX IF NOT EXISTS jobs_unfinished ON jobs (n) WHERE status = 'ON_QUEUE';
  CREATE INDEX IF NOT EXISTS jobs_hook_due ON jobs (hook_due_at) WHERE hook_due_at IS NOT NULL;
  CREATE INDEX IF NOT EXISTS jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;
`

const COLUMNS = `n, job_id AS jobId, target_image AS targetImage, swap_image AS swapImage, hook_url AS hookUrl, status,
  message, discord_path AS discordPath, cdn_path AS cdnPath, starts, hook_attempts AS hookAttempts`

/** Opens, and where needed creates, the database file. One process at a time: nothing else writes to it. */
export function openJobTable(file: string): JobTable {
  const db = new Database(file)
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  db.exec(SCHEMA)

  const add = db.prepare(
    `INSERT INTO jobs (job_id, target_image, swap_image, hook_url, submitted_at) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (job_id) DO NOTHING`,
  )
  const find = db.prepare(`SELECT ${COLUMNS} FROM jobs WHERE job_id = ?`)
  const countUnfinished = db.prepare(`SELECT count(*) AS value FROM jobs WHERE status = 'ON_QUEUE'`)
  const findNext = db.prepare(`SELECT ${COLUMNS} FROM jobs WHERE status = 'ON_QUEUE' AND n > ? ORDER BY n LIMIT 1`)
  const addStarts = db.prepare(`UPDATE jobs SET starts = starts + ? WHERE n = ?`)
  const finish = db.prepare(
    `UPDATE jobs SET status = ?, message = ?, discord_path = ?, cdn_path = ?, finished_at = ?,
       hook_due_at = CASE WHEN hook_url IS NULL THEN NULL ELSE ? END
     WHERE n = ? AND status = 'ON_QUEUE'`,
  )
  const listHooksDue = db.prepare(`SELECT ${COLUMNS} FROM jobs WHERE hook_due_at <= ? ORDER BY hook_due_at LIMIT ?`)
  const findNextHookDue = db.prepare(`SELECT min(hook_due_at) AS value FROM jobs WHERE hook_due_at > ?`)
  const countHookAttempt = db.prepare(`UPDATE jobs SET hook_attempts = hook_attempts + 1, hook_due_at = ? WHERE n = ?`)
  const setHookDue = db.prepare(`UPDATE jobs SET hook_due_at = ? WHERE n = ?`)
  const forgetFinished = db.prepare(`DELETE FROM jobs WHERE finished_at < ? AND hook_due_at IS NULL`)

  return {
    add: (job, now) => add.run(job.jobId, job.targetImage, job.swapImage, job.hookUrl, now).changes === 1,
    find: (jobId) => toJob(find.get(jobId)),
    countUnfinished: () => toNumber(countUnfinished.get()) ?? 0,
    findNext: (n) => toJob(findNext.get(n)),
    countStart: (n) => {
      addStarts.run(1, n)
    },
    uncountStart: (n) => {
      addStarts.run(-1, n)
    },
    finish: (n, outcome, now) => {
      const message = outcome.status === 'FAILED' ? outcome.message : null
      const paths = outcome.status === 'SUCCESS' ? outcome.paths : null
      return finish.run(outcome.status, message, paths?.discord ?? null, paths?.cdn ?? null, now, now, n).changes === 1
    },
    listHooksDue: (now, limit) => listHooksDue.all(now, limit).map((row) => jobRow.parse(row)),
    findNextHookDue: (now) => toNumber(findNextHookDue.get(now)),
    countHookAttempt: (n, nextDueAt) => {
      countHookAttempt.run(nextDueAt, n)
    },
    moveHook: (n, dueAt) => {
      setHookDue.run(dueAt, n)
    },
    endHook: (n) => {
      setHookDue.run(null, n)
    },
    forgetFinished: (before) => forgetFinished.run(before).changes,
    close: () => {
      db.close()
    },
  }
}

function toJob(row: unknown): Job | null {
  return row === undefined ? null : jobRow.parse(row)
}

function toNumber(row: unknown): number | null {
  return valueRow.parse(row).value
}
