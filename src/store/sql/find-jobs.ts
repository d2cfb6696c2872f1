/** Reads jobs by id. */
import type { Kysely } from 'kysely'
import type { SwapJob, TimelineEntry } from '../../domain/swap-job.ts'
import { compileQuery } from './compiled-query.ts'
import { toSwapJob } from './job-row.ts'
import type { Tables } from './tables.ts'

/** Up to this many ids, a query is compiled once for each number of ids. */
const MAX_COMPILED_IDS = 100

export async function findJob(db: Kysely<Tables>, id: string): Promise<SwapJob | null> {
  const [row] = await selectJob(db, { id })
  return row ? toSwapJob(row) : null
}

/** `JobStore.findOwnJobs`. */
export async function findOwnJobs(
  db: Kysely<Tables>,
  tenant: string,
  ids: readonly string[],
): Promise<(SwapJob | null)[]> {
  // One index after the other: a condition on either kind of id searches both indexes for every id.
  const byId =
    ids.length <= MAX_COMPILED_IDS
      ? await selectOwnJobs(db, { tenant, ...Object.fromEntries(ids.entries()) })
      : await ownJobs(db, tenant, ids).execute()
  const found = new Map(byId.map((row) => [row.id, row]))
  const others = ids.filter((id) => !found.has(id))
  const byUpstreamId =
    others.length > 0
      ? await db
          .selectFrom('jobs')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('upstream_id', 'in', others)
          .execute()
      : []
  for (const row of byUpstreamId) if (row.upstream_id !== null) found.set(row.upstream_id, row)
  return ids.map((id) => {
    const row = found.get(id)
    return row ? toSwapJob(row) : null
  })
}

export async function findJobs(db: Kysely<Tables>, ids: readonly string[]): Promise<(SwapJob | null)[]> {
  const rows = await db.selectFrom('jobs').selectAll().where('id', 'in', ids).execute()
  const found = new Map(rows.map((row) => [row.id, toSwapJob(row)]))
  return ids.map((id) => found.get(id) ?? null)
}

export async function findByUpstreamId(db: Kysely<Tables>, upstreamId: string): Promise<SwapJob | null> {
  const row = await db.selectFrom('jobs').selectAll().where('upstream_id', '=', upstreamId).executeTakeFirst()
  return row ? toSwapJob(row) : null
}

export async function listTimelines(db: Kysely<Tables>, ids: readonly string[]): Promise<TimelineEntry[][]> {
  const rows = await db
    .selectFrom('job_timeline')
    .selectAll()
    .where('job_id', 'in', ids)
    .orderBy('job_id')
    .orderBy('version')
    .execute()
  const byJob = new Map<string, TimelineEntry[]>(ids.map((id) => [id, []]))
  for (const { job_id, version, status, at, source } of rows) byJob.get(job_id)?.push({ version, status, at, source })
  return ids.map((id) => byJob.get(id) ?? [])
}

const selectJob = compileQuery((db, { id }: { readonly id: string }) =>
  db.selectFrom('jobs').selectAll().where('id', '=', id),
)

function ownJobs(db: Kysely<Tables>, tenant: string, ids: readonly string[]) {
  return db.selectFrom('jobs').selectAll().where('tenant', '=', tenant).where('id', 'in', ids)
}

/** Ids are properties named by their positions. */
const selectOwnJobs = compileQuery(
  (db, { tenant, ...ids }: { readonly tenant: string; readonly [position: number]: string }) =>
    ownJobs(db, tenant, Object.values(ids)),
)
