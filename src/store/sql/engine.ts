/** The contract between the stores and a database engine: reads, and writes that share commits. */
import type { Expression, Kysely, SelectQueryBuilder } from 'kysely'
import type { GroupedWrites } from './grouped-writes.ts'
import type { Tables } from './tables.ts'

type Rows<Table extends keyof Tables, Found> = SelectQueryBuilder<Tables, Table, Found>

/** The differences between the engines, besides opening and migrating them. */
export interface Engine extends GroupedWrites {
  /** For reading. */
  readonly db: Kysely<Tables>
  /** Writes that count the queue or take a slot of it: serialized across all processes, from begin to commit. */
  readonly queue: GroupedWrites
  /** The sequence of a change, assigned when it is written. A tenant's changes become visible in this order. */
  nextChange(): Expression<number>
  /** Runs one statement, which must not change a job's status or wait for a lock. Durable when it resolves. */
  claim<T>(act: (db: Kysely<Tables>) => Promise<T>): Promise<T>
  /** Excludes rows that another transaction has locked. */
  skipLocked<Table extends keyof Tables, Found>(rows: Rows<Table, Found>): Rows<Table, Found>
  /** Size of the database on disk; 0 if it is in memory. */
  sizeBytes(): Promise<number>
  /** Whether the error says that another job already has the upstream id. */
  isUpstreamIdTaken(error: unknown): boolean
}
