/**
 * Commits a transaction exactly once. Conflicts with other transactions are retried. If the connection is lost during
 * the COMMIT, the outcome is queried by the transaction's id: if the transaction was committed, the result is returned;
 * otherwise the transaction is retried.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import { DatabaseError } from 'pg'
import { CommitUnknownError } from '../job-store.ts'
import type { Tables } from '../sql/tables.ts'

/** Runs `act` in one transaction; calls it again on a retry. */
export type Transaction = <T>(act: (db: Kysely<Tables>) => Promise<T>) => Promise<T>

const MAX_TRIES = 5
const SERIALIZATION_FAILURE = '40001'
const DEADLOCK = '40P01'
/** Shorter than the lease of a submit, which starts with the transaction. */
const RESOLVE_WITHIN_MS = 8_000
const ASK_EVERY_MS = 100
/** Polled in the background after that, for a limited time: a server restored from a backup may never know. */
const ASK_LATER_EVERY_MS = 1_000
const ASK_LATER_FOR_MS = 15 * 60_000

/** The response to the COMMIT was lost. */
class LostCommitError extends Error {
  override readonly name = 'LostCommitError'
  readonly xid: string
  readonly result: unknown

  constructor(xid: string, result: unknown, cause: unknown) {
    super('no response to COMMIT', { cause })
    this.xid = xid
    this.result = result
  }
}

/** @throws {CommitUnknownError} if the response to a COMMIT was lost and the outcome cannot be determined. */
export function createTransaction(db: Kysely<Tables>): Transaction {
  return async <T>(act: (db: Kysely<Tables>) => Promise<T>) => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await db.connection().execute(async (connection) => runTransaction(connection, act))
      } catch (error) {
        if (error instanceof LostCommitError && (await wasCommitted(db, error))) {
          // It is what this `act` resolved to.
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion
          return error.result as T
        }
        if (!isUndone(error) || tries === MAX_TRIES) throw error
      }
    }
  }
}

/** Does not await `begin`: the first statements are sent with it. */
async function runTransaction<T>(db: Kysely<Tables>, act: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
  const begun = sql`begin`.execute(db)
  try {
    const named = sql<{ xid: string }>`select pg_current_xact_id()::text as xid`.execute(db)
    const [, { rows }, result] = await Promise.all([begun, named, act(db)])
    await commit(db, rows[0]?.xid ?? '', result)
    return result
  } catch (error) {
    // If this fails as well, the connection is lost, and the server rolls back.
    await sql`rollback`.execute(db).catch(() => null)
    throw error
  }
}

async function commit(db: Kysely<Tables>, xid: string, result: unknown): Promise<void> {
  try {
    await sql`commit`.execute(db)
  } catch (error) {
    // With severity ERROR the server has rolled back; any other error ends the connection, perhaps after the commit.
    const isRefused = error instanceof DatabaseError && error.severity === 'ERROR'
    throw isRefused ? error : new LostCommitError(xid, result, error)
  }
}

/** Whether the transaction was rolled back, and a retry may succeed. */
function isUndone(error: unknown): boolean {
  if (error instanceof LostCommitError) return true
  return error instanceof DatabaseError && [SERIALIZATION_FAILURE, DEADLOCK].includes(error.code ?? '')
}

/** @throws {CommitUnknownError} */
async function wasCommitted(db: Kysely<Tables>, { xid, cause }: LostCommitError): Promise<boolean> {
  const outcome = await findOut(db, xid, ASK_EVERY_MS, AbortSignal.timeout(RESOLVE_WITHIN_MS))
  if (outcome !== null) return outcome
  throw new CommitUnknownError(cause, async (stopping) =>
    findOut(db, xid, ASK_LATER_EVERY_MS, AbortSignal.any([stopping, AbortSignal.timeout(ASK_LATER_FOR_MS)])),
  )
}

/** @returns whether the transaction was committed; null if `until` aborts before the server responds. */
async function findOut(db: Kysely<Tables>, xid: string, everyMs: number, until: AbortSignal): Promise<boolean | null> {
  while (!until.aborted) {
    const status = await readStatus(db, xid).catch(() => null)
    if (status === 'committed') return true
    if (status === 'aborted') return false
    // The server has not noticed yet that the connection is lost, or it cannot be reached.
    await delay(everyMs, undefined, { signal: until, ref: false }).catch(() => null)
  }
  return null
}

async function readStatus(db: Kysely<Tables>, xid: string): Promise<string | null> {
  const { rows } = await sql<{ status: string | null }>`select pg_xact_status(${xid}::xid8) as status`.execute(db)
  return rows[0]?.status ?? null
}
