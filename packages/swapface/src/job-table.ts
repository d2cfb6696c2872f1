/**
 * Stored jobs: one row each, in an embedded database with a write-ahead log and full syncs. A write is on disk when its
 * method returns. The row is the source of truth for queue, fetch and hook.
 *
 *   (none) → ON_QUEUE → SUCCESS | FAILED     a finished row never changes its status
 *
 * A job's hook is pending from the moment the job finishes (`hook_due_at`). Each attempt is counted before it is sent:
 * a crash may lose an attempt, but never adds one.
 */
import Database from 'libsql'
import * as z from 'zod'

import type { ResultPaths } from './result-links.ts'

const jobRow = z.object({
  /** Increases in the order of submits. */
  n: z.number(),
  jobId: z.string(),
  targetImage: z.string(),
  swapImage: z.string(),
  hookUrl: z.string().nullable(),
  status: z.enum(['ON_QUEUE', 'SUCCESS', 'FAILED']),
  /** Why it FAILED, for the caller; null otherwise. */
  message: z.string().nullable(),
  /** Both are set if and only if the status is SUCCESS. */
  discordPath: z.string().nullable(),
  cdnPath: z.string().nullable(),
  /** Number of starts; more than one only if a process crashed during the job. */
  starts: z.number(),
  /** Number of hook attempts, including one in progress. */
  hookAttempts: z.number(),
})

const valueRow = z.object({ value: z.number().nullable() })

export type Job = Readonly<z.infer<typeof jobRow>>
export type NewJob = Pick<Job, 'jobId' | 'targetImage' | 'swapImage' | 'hookUrl'>
export type Outcome =
  | { readonly status: 'SUCCESS'; readonly paths: ResultPaths }
  /** `code` is for the log; it is not stored. */
  | { readonly status: 'FAILED'; readonly message: string; readonly code: string }

export interface JobTable {
  /** Adds a waiting job; false if its id is taken. */
  add(job: NewJob, now: number): boolean
  find(jobId: string): Job | null
  /** Returns the number of unfinished jobs. */
  countUnfinished(): number
  /** Returns the first unfinished job after job `n`; null if there is none. */
  findNext(n: number): Job | null
  countStart(n: number): void
  uncountStart(n: number): void
  /** Finishes a job and makes its hook, if it has one, due at once; false if it was already finished. */
  finish(n: number, outcome: Outcome, now: number): boolean
  /** Lists jobs whose hook is due, longest overdue first. */
  listHooksDue(now: number, limit: number): readonly Job[]
  /** Returns when the next hook after `now` is due; null if there is none. */
  findNextHookDue(now: number): number | null
  /** Counts one attempt and sets when the next one is due; null if this is the last. */
  countHookAttempt(n: number, nextDueAt: number | null): void
  /** Reschedules the next attempt. */
  moveHook(n: number, dueAt: number): void
  endHook(n: number): void
  /** Deletes jobs that finished before `before` and have no pending hook; returns how many. */
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

/** Opens the database file, or creates it. Only one process at a time may use it. */
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
