import { type Kysely, sql, type UpdateObject } from 'kysely'
import type { SwapJob } from '../../domain/swap-job.ts'
import type { Tables } from './tables.ts'

/** The state of a row that a change was decided on, as parameters of the change. */
export interface ExpectedState {
  readonly wasId: string
  readonly wasVersion: number
  readonly wasFencing: number
  /** Whether the row had a lease. */
  readonly wasClaimed: 0 | 1
}

export function toExpectedState({ id, version, fencing, leaseUntil }: SwapJob): ExpectedState {
  return { wasId: id, wasVersion: version, wasFencing: fencing, wasClaimed: leaseUntil === null ? 0 : 1 }
}

export type Change = ExpectedState & UpdateObject<Tables, 'jobs'>

/**
 * Compare-and-set: updates the row if its version and its claim are still the same. A released claim keeps its fencing
 * number, so whether there is a lease is compared as well.
 */
export function updateExactly(db: Kysely<Tables>, { wasId, wasVersion, wasFencing, wasClaimed, ...columns }: Change) {
  return db
    .updateTable('jobs')
    .set(columns)
    .where('id', '=', wasId)
    .where('version', '=', wasVersion)
    .where('fencing', '=', wasFencing)
    .where(sql`case when lease_until is null then 0 else 1 end`, '=', wasClaimed)
}
