/**
 * Lists a tenant's jobs, newest first, by keyset pagination: the thousandth page costs what the first does. A filter
 * that one index covers is read from that index; any other filter is scanned in pieces (`scan-jobs.ts`). Both kinds of
 * reads go through a fair queue of the tenants.
 */
import { type Kysely, type SelectQueryBuilder, sql, type SqlBool } from 'kysely'
import { type JobFilter, matchesFilter } from '../../domain/job-filter.ts'
import { isDone, SWAP_JOB_STATUSES, type SwapJob, type SwapJobStatus } from '../../domain/swap-job.ts'
import { FairQueue } from '../../lib/async/fair-queue.ts'
import { countUpTo, isUnfinished, isWaiting } from './quotas.ts'
import { toSwapJob } from './job-row.ts'
import type { JobStore, ListRange, RecentJobs } from '../job-store.ts'
import type { Engine } from './engine.ts'
import { selectWaitingIds } from './next-waiting.ts'
import { findKeys, newestFirst, oldestFirst, type Piece, type ListPosition, readPiece, scanJobs } from './scan-jobs.ts'
import type { JobRow, Tables } from './tables.ts'
import { sumUsage } from './usage-sums.ts'

type Lists = Pick<
  JobStore,
  | 'listJobs'
  | 'countJobs'
  | 'sumUsage'
  | 'countUnfinished'
  | 'countWaiting'
  | 'listWaitingIds'
  | 'listRecent'
  | 'listRecentCharges'
>

/** Concurrent list reads, so that other reads find a free connection. */
const MAX_READS = 4
const FROM_THE_NEWEST = { from: null, direction: 'forward' } as const

/** The database, and the fair queue of its reads. */
interface Reader {
  readonly db: Kysely<Tables>
  readonly queue: FairQueue
}

export function createLists({ db }: Pick<Engine, 'db'>): Lists {
  const reader = { db, queue: new FairQueue(MAX_READS) }
  return {
    listJobs: async (tenant, filter, range) => listJobs(reader, tenant, filter, range),
    countJobs: async (tenant, filter, limit) => countJobs(reader, tenant, filter, limit),
    sumUsage: async (tenant, since, reserve) =>
      reader.queue.run(tenant, async () => sumUsage(db, tenant, since, reserve)),
    countUnfinished: async (tenant) => countUnfinished(db, tenant),
    countWaiting: async (limit) => countWaiting(db, limit),
    listWaitingIds: async (limit) => (await selectWaitingIds(db, { limit })).map(({ id }) => id),
    listRecent: async (since, limit) => listRecent(db, since, limit),
    listRecentCharges: async (limit) => listRecentCharges(db, limit),
  }
}

async function listJobs(
  reader: Reader,
  tenant: string,
  filter: JobFilter,
  range: ListRange,
): Promise<readonly SwapJob[]> {
  const { db, queue } = reader
  if (filter.ids != null) {
    const rows = await queue.run(tenant, async () => findByIds(db, tenant, filter.ids ?? []))
    return cut(rows, filter, range).map(toSwapJob)
  }
  if (isScanned(filter)) {
    const jobs = await listScanned(reader, tenant, filter, range)
    return range.direction === 'forward' ? jobs : jobs.toReversed()
  }
  const statuses = toStatuses(filter)
  // One page per status, merged here: a single statement would have to sort all matching rows.
  const pages = await Promise.all(
    (statuses ?? [null]).map(async (status) =>
      queue.run(tenant, async () => findPage(db, tenant, { ...filter, status }, range)),
    ),
  )
  const rows = pages.flat().toSorted(range.direction === 'forward' ? newestFirst : oldestFirst)
  const page = rows.slice(0, range.limit).map(toSwapJob)
  return range.direction === 'forward' ? page : page.toReversed()
}

async function countJobs(reader: Reader, tenant: string, filter: JobFilter, limit: number): Promise<number> {
  const { db, queue } = reader
  const range = { ...FROM_THE_NEWEST, limit }
  if (filter.ids != null) {
    return cut(await queue.run(tenant, async () => findByIds(db, tenant, filter.ids ?? [])), filter, range).length
  }
  if (isScanned(filter)) return (await scan(reader, tenant, filter, range)).length
  const statuses = toStatuses(filter)
  const counts = await Promise.all(
    (statuses ?? [null]).map(async (status) =>
      queue.run(tenant, async () => countPage(db, tenant, { ...filter, status }, limit)),
    ),
  )
  return Math.min(
    limit,
    counts.reduce((total, count) => total + count, 0),
  )
}

/** The positions of jobs that match a filter which no single index covers. */
async function scan(
  { db, queue }: Reader,
  tenant: string,
  filter: JobFilter,
  range: ListRange,
): Promise<ListPosition[]> {
  const statuses = toStatuses(filter)
  // No status is both done and not done.
  if (statuses?.length === 0) return []
  return scanJobs(filter, range, {
    readPiece: async (key, part) =>
      queue.run(tenant, async () =>
        readPiece(db, { ...toPiece(tenant, key, part), statuses, others: toOthers(filter, key) }),
      ),
    countKey: async (key, limit) =>
      queue.run(tenant, async () => countPage(db, tenant, { ...key, status: null }, limit)),
  })
}

async function listScanned(
  reader: Reader,
  tenant: string,
  filter: JobFilter,
  range: ListRange,
): Promise<readonly SwapJob[]> {
  const { db, queue } = reader
  const positions = await scan(reader, tenant, filter, range)
  const ids = positions.map(({ id }) => id)
  const found = new Map((await queue.run(tenant, async () => findByIds(db, tenant, ids))).map((row) => [row.id, row]))
  const jobs = ids.flatMap((id) => found.get(id) ?? []).map(toSwapJob)
  // A job may have changed since its position was read.
  const matching = jobs.filter((job) => matchesFilter(job, filter))
  const last = positions.at(-1)
  if (!last || positions.length < range.limit || matching.length === positions.length) return matching
  const rest = { ...range, from: { createdAt: last.created_at, id: last.id }, limit: range.limit - matching.length }
  return [...matching, ...(await listScanned(reader, tenant, filter, rest))]
}

async function countUnfinished(db: Kysely<Tables>, tenant: string): Promise<number> {
  const { count } = await db
    .selectFrom('jobs')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('tenant', '=', tenant)
    .where(isUnfinished)
    .executeTakeFirstOrThrow()
  return count
}

async function countWaiting(db: Kysely<Tables>, limit: number): Promise<number> {
  const { count } = await db
    .selectNoFrom(countUpTo(limit, isWaiting).as('count'))
    .$narrowType<{ count: number }>()
    .executeTakeFirstOrThrow()
  return count
}

async function listRecent(db: Kysely<Tables>, since: number, limit: number): Promise<RecentJobs> {
  const rows = await db
    .selectFrom('jobs')
    .innerJoin('job_timeline', (join) =>
      join.onRef('job_timeline.job_id', '=', 'jobs.id').onRef('job_timeline.version', '=', 'jobs.version'),
    )
    .select(['jobs.status', 'jobs.submitted_at', 'jobs.finished_at', 'job_timeline.source'])
    .where('finished_at', '>=', since)
    .where('jobs.submitted_at', 'is not', null)
    .orderBy('finished_at', 'desc')
    .limit(limit)
    .execute()
  return {
    durationsMs: rows.flatMap(({ status, submitted_at: from, finished_at: to }) =>
      status === 'SUCCESS' && from !== null && to !== null ? [to - from] : [],
    ),
    endedByHook: rows.filter(({ source }) => source === 'HOOK').length,
    ended: rows.length,
  }
}

async function listRecentCharges(db: Kysely<Tables>, limit: number): Promise<readonly number[]> {
  const rows = await db
    .selectFrom('jobs')
    .select('charge_quota')
    .where('finished_at', 'is not', null)
    .where('submitted_at', 'is not', null)
    .orderBy('finished_at', 'desc')
    .limit(limit)
    .execute()
  return rows.flatMap(({ charge_quota: quota }) => quota ?? [])
}

interface Narrowed extends JobFilter {
  /** One of the requested statuses; null: any. */
  readonly status: SwapJobStatus | null
}

/** The statuses that match; null: all. */
function toStatuses({ statuses, done }: JobFilter): readonly SwapJobStatus[] | null {
  if (statuses == null && done == null) return null
  return SWAP_JOB_STATUSES.filter(
    (status) => (statuses == null || statuses.includes(status)) && (done == null || done === isDone(status)),
  )
}

/** Whether no single index covers the filter: it has several keys, or a key and a status. */
function isScanned(filter: JobFilter): boolean {
  const keys = findKeys(filter).length
  return keys > 1 || (keys === 1 && toStatuses(filter) !== null)
}

/** Returns the rows that match the filter and lie in the range, in the order of the range. For short lists. */
function cut(rows: readonly JobRow[], filter: JobFilter, { from, direction, limit }: ListRange): JobRow[] {
  const order = direction === 'forward' ? newestFirst : oldestFirst
  const after = from && { created_at: from.createdAt, id: from.id }
  const page = rows
    .filter((row) => matchesFilter(toSwapJob(row), filter) && (!after || order(row, after) > 0))
    .toSorted(order)
    .slice(0, limit)
  return direction === 'forward' ? page : page.toReversed()
}

/** @param ids gateway ids or upstream ids. */
async function findByIds(db: Kysely<Tables>, tenant: string, ids: readonly string[]): Promise<JobRow[]> {
  if (ids.length === 0) return []
  const own = db.selectFrom('jobs').selectAll().where('tenant', '=', tenant)
  const [byId, byUpstreamId] = await Promise.all([
    own.where('id', 'in', ids).execute(),
    own.where('upstream_id', 'in', ids).execute(),
  ])
  return [...new Map([...byId, ...byUpstreamId].map((row) => [row.id, row])).values()]
}

type Jobs = SelectQueryBuilder<Tables, 'jobs', object>

function narrow(db: Kysely<Tables>, tenant: string, { status, clientReference }: Narrowed): Jobs {
  let query: Jobs = db.selectFrom('jobs').where('jobs.tenant', '=', tenant)
  if (status !== null) query = query.where('jobs.status', '=', status)
  if (clientReference != null) query = query.where('client_reference', '=', clientReference)
  return query
}

/** Counts the matching jobs up to `limit`, from the index alone. */
async function countPage(db: Kysely<Tables>, tenant: string, filter: Narrowed, limit: number): Promise<number> {
  const { createdFrom = null, createdBefore = null } = filter
  const { table, conditions } = toSelection(tenant, filter, { from: createdFrom, before: createdBefore })
  const { rows } = await sql<{ count: number }>`
    select count(*) as count from (
      select 1 from ${table} where ${sql.join(conditions, sql` and `)} limit ${limit}
    ) as some_jobs
  `.execute(db)
  return rows[0]?.count ?? 0
}

/** The table and the conditions that select a filter's one key and status from their index. */
function toSelection(
  tenant: string,
  { tags, status, clientReference }: Narrowed,
  created: { readonly from: number | null; readonly before: number | null },
) {
  const [tag] = tags ?? []
  const columns = tag === undefined ? BY_JOB : BY_TAG
  const conditions = [
    sql`tenant = ${tenant}`,
    ...(tag === undefined ? [] : [sql`tag = ${tag}`]),
    ...(status === null ? [] : [sql`status = ${status}`]),
    ...(clientReference == null ? [] : [sql`client_reference = ${clientReference}`]),
    ...(created.from === null ? [] : [sql`${columns.createdAt} >= ${created.from}`]),
    ...(created.before === null ? [] : [sql`${columns.createdAt} < ${created.before}`]),
  ]
  return { columns, table: tag === undefined ? sql`jobs` : sql`job_tags as by_tag`, conditions }
}

/** The tags and the reference of the filter, except for the key. */
function toOthers({ tags, clientReference }: JobFilter, key: JobFilter): Piece['others'] {
  return {
    tags: [...new Set(tags)].filter((tag) => key.tags?.includes(tag) !== true),
    clientReference: key.clientReference == null ? clientReference : null,
  }
}

function toPiece(tenant: string, key: JobFilter, range: ListRange): Omit<Piece, 'statuses' | 'others'> {
  const { newest, oldest, after } = toBounds(key, range)
  const selection = toSelection(tenant, { ...key, status: null }, { from: oldest, before: newest })
  const isForward = range.direction === 'forward'
  const conditions = [
    ...selection.conditions,
    ...(after === null ? [] : [isBehind(selection.columns, after, isForward)]),
  ]
  return { ...selection, conditions, tenant, isForward, limit: range.limit }
}

/** Keeps only the nearer of two bounds on one side: with both, the index search may start at either. */
function toBounds({ createdFrom = null, createdBefore = null }: JobFilter, { from, direction }: ListRange) {
  const isForward = direction === 'forward'
  const isWithin =
    from !== null && (isForward ? from.createdAt < (createdBefore ?? Infinity) : from.createdAt >= (createdFrom ?? 0))
  return {
    newest: isForward && isWithin ? null : createdBefore,
    oldest: !isForward && isWithin ? null : createdFrom,
    after: isWithin ? from : null,
  }
}

/** A row comparison, so that the index search starts exactly there. */
function isBehind(
  { createdAt, id }: typeof BY_JOB,
  after: { readonly createdAt: number; readonly id: string },
  isForward: boolean,
) {
  return sql<SqlBool>`(${createdAt}, ${id}) ${sql.raw(isForward ? '<' : '>')} (${after.createdAt}, ${after.id})`
}

/**
 * The sort columns of a page: of `jobs`, or of `job_tags` if the filter has a tag. Both have an index in this order.
 */
const BY_JOB = { createdAt: sql.ref<number>('jobs.created_at'), id: sql.ref<string>('jobs.id') }
const BY_TAG = { createdAt: sql.ref<number>('by_tag.created_at'), id: sql.ref<string>('by_tag.job_id') }

async function findPage(db: Kysely<Tables>, tenant: string, filter: Narrowed, range: ListRange): Promise<JobRow[]> {
  const [tag] = filter.tags ?? []
  const columns = tag === undefined ? BY_JOB : BY_TAG
  const { createdAt, id } = columns
  const isForward = range.direction === 'forward'
  const order = isForward ? 'desc' : 'asc'
  const { newest, oldest, after } = toBounds(filter, range)
  return narrow(db, tenant, filter)
    .selectAll('jobs')
    .$if(tag !== undefined, (query) =>
      query
        .innerJoin('job_tags as by_tag', 'by_tag.job_id', 'jobs.id')
        .where('by_tag.tenant', '=', tenant)
        .where('by_tag.tag', '=', tag ?? ''),
    )
    .$if(newest !== null, (query) => query.where(createdAt, '<', newest))
    .$if(oldest !== null, (query) => query.where(createdAt, '>=', oldest))
    .$if(after !== null, (query) => (after === null ? query : query.where(isBehind(columns, after, isForward))))
    .orderBy(createdAt, order)
    .orderBy(id, order)
    .limit(range.limit)
    .execute()
}
