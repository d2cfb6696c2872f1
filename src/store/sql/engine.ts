/** What the stores need of an engine: reads, and writes that share commits. */
import type { Expression, Kysely, SelectQueryBuilder } from 'kysely'
import type { GroupedWrites } from './grouped-writes.ts'
import type { Tables } from './tables.ts'

type Rows<Table extends keyof Tables, Found> = SelectQueryBuilder<Tables, Table, Found>

/** What differs between the engines, besides how they are opened and migrated. */
export interface Engine extends GroupedWrites {
  /** For reading. */
  readonly db: Kysely<Tables>
  /** Writes that count the queue or take a slot of it: from their beginning to their commit, in all processes, no others run. */
  readonly queue: GroupedWrites
  /** The position of a change, assigned when it is written. Of one tenant's changes, a later position never becomes visible first. */
  nextChange(): Expression<number>
  /** One statement that changes no job's status and waits for no lock; durable when it resolves. */
  claim<T>(act: (db: Kysely<Tables>) => Promise<T>): Promise<T>
  /** Excludes the rows that another transaction is writing. */
  skipLocked<Table extends keyof Tables, Found>(rows: Rows<Table, Found>): Rows<Table, Found>
  /** Whether the error says that another job already has the upstream id. */
  isUpstreamIdTaken(error: unknown): boolean
}
