/** Reads jobs by the sequence of their last change. */
import type { Kysely } from 'kysely'
import type { ChangedJob, ChangeRange, JobChange } from '../job-store.ts'
import { toSwapJob } from './job-row.ts'
import { isUnfinished } from './quotas.ts'
import type { Tables } from './tables.ts'

export async function findLastChange(db: Kysely<Tables>, tenant: string): Promise<number> {
  const { sequence } = await db
    .selectFrom('jobs')
    .select(({ fn }) => fn.max<number | null>('change_seq').as('sequence'))
    .where('tenant', '=', tenant)
    .executeTakeFirstOrThrow()
  return sequence ?? 0
}

export async function listChanges(
  db: Kysely<Tables>,
  tenant: string,
  { after, upTo, limit, unfinished }: ChangeRange,
): Promise<ChangedJob[]> {
  const rows = await db
    .selectFrom('jobs')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('change_seq', '>', after)
    .where('change_seq', '<=', upTo)
    .$if(unfinished, (query) => query.where(isUnfinished))
    .orderBy('change_seq')
    .limit(limit)
    .execute()
  return rows.map((row) => ({ sequence: row.change_seq, job: toSwapJob(row) }))
}

export async function listLatestChanges(db: Kysely<Tables>, after: number, limit: number): Promise<JobChange[]> {
  return db
    .selectFrom('jobs')
    .select(['change_seq as sequence', 'id', 'tenant'])
    .where('change_seq', '>', after)
    .orderBy('change_seq', 'desc')
    .limit(limit)
    .execute()
}
