/** What an engine gives to the stores that run on it, and how its writes are carried out. */
import type { Expression, Kysely, SelectQueryBuilder } from 'kysely'
import type { Tables } from './tables.ts'

type Rows<Table extends keyof Tables, Found> = SelectQueryBuilder<Tables, Table, Found>

/**
 * Carries all of `act` out, or nothing: on disk when it resolves. Undone, and perhaps tried again, when `act` rejects.
 * No other change of the tenant's is made from its beginning to its commit.
 */
export type Write = <T>(tenant: string, act: Act<T>, key?: string | null) => Promise<T>

/**
 * One of the writes that share a commit. Of two with the same key the second sees the first; other ones may come before
 * it that it does not see.
 * @param unseen how many these are, at most. Where what becomes of this one depends on them it rejects with
 * `UncertainError`, having written nothing, and is carried out again when it sees them all.
 */
export type Act<T> = (db: Kysely<Tables>, unseen: number, counts: Counts) => Promise<T>

/** What writes that begin at one moment have counted, by what it is: once for all of them. */
export type Counts = Map<string, Promise<unknown>>

export class UncertainError extends Error {
  override readonly name = 'UncertainError'
}

/** What differs between the engines, beside how they are opened and migrated. */
export interface Engine {
  /** For reading. */
  readonly db: Kysely<Tables>
  readonly write: Write
  /** The same, with everybody else held off who counts the queue, from its beginning to its commit. */
  readonly writeQueue: Write
  /** The place of a change, given out as it is written: of a tenant's, what becomes visible later has a later one. */
  nextChange(): Expression<number>
  /** One statement that changes no job and waits for nobody: durable when it resolves. */
  claim<T>(act: (db: Kysely<Tables>) => Promise<T>): Promise<T>
  /** Leaves out what others are writing to just now. */
  skipLocked<Table extends keyof Tables, Found>(rows: Rows<Table, Found>): Rows<Table, Found>
  /** Whether the error says that another job has the upstream id already. */
  isUpstreamIdTaken(error: unknown): boolean
}
