/**
 * Lists of a tenant's jobs, what was made last first. A page is found by where the last one ended, so that the thousandth
 * costs what the first does; each way of narrowing has an index with that order behind it.
 */
import { type Kysely, type SelectQueryBuilder, sql, type SqlBool } from 'kysely'
import type { JobFilter } from '../domain/job-filter.ts'
import { isDone, SWAP_JOB_STATUSES, type SwapJobStatus } from '../domain/swap-job.ts'
import { countUpTo, isUnfinished, isWaiting, type Where } from './counting.ts'
import { toSwapJob } from './job-row.ts'
import type { JobStore, ListRange } from './job-store.ts'
import type { Engine } from './engine.ts'
import type { JobRow, Tables } from './tables.ts'
import { sumUsage } from './usage-sums.ts'

type Lists = Pick<JobStore, 'listJobs' | 'countJobs' | 'sumUsage' | 'countUnfinished' | 'countWaiting' | 'listRecent'>

export function createLists({ db }: Pick<Engine, 'db'>): Lists {
  return {
    listJobs: async (tenant, filter, range) => {
      const statuses = toStatuses(filter)
      // One for each status, and the page of them all together: in one statement they would have to be sorted.
      const pages = await Promise.all(
        (statuses ?? [null]).map(async (status) => findPage(db, tenant, { ...filter, status }, range)),
      )
      const rows = pages.flat().toSorted(range.direction === 'forward' ? newestFirst : oldestFirst)
      const page = rows.slice(0, range.limit).map(toSwapJob)
      return range.direction === 'forward' ? page : page.toReversed()
    },

    countJobs: async (tenant, filter, limit) => {
      const statuses = toStatuses(filter)
      if (filter.ids?.length === 0 || statuses?.length === 0) return 0
      const { count } = await db
        .selectFrom(
          narrow(db, tenant, { ...filter, status: null })
            .select('jobs.id')
            .$if(statuses !== null, (query) => query.where('jobs.status', 'in', statuses ?? []))
            .limit(limit)
            .as('some'),
        )
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow()
      return count
    },

    sumUsage: async (tenant, since, reserve) => sumUsage(db, tenant, since, reserve),

    countUnfinished: async (tenant) => {
      const { count } = await db
        .selectFrom('jobs')
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .where('tenant', '=', tenant)
        .where(isUnfinished)
        .executeTakeFirstOrThrow()
      return count
    },

    countWaiting: async (createdBefore, limit) => {
      const isAhead = (where: Where) =>
        createdBefore === null
          ? isWaiting(where)
          : where.and([isWaiting(where), where('created_at', '<', createdBefore)])
      const { count } = await db
        .selectNoFrom(countUpTo(limit, isAhead).as('count'))
        .$narrowType<{ count: number }>()
        .executeTakeFirstOrThrow()
      return count
    },

    listRecent: async (since, limit) => {
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
        toldByHook: rows.filter(({ source }) => source === 'HOOK').length,
        ended: rows.length,
      }
    },
  }
}

interface Narrowed extends JobFilter {
  /** One of those asked for; null: any. */
  readonly status: SwapJobStatus | null
}

/** The statuses that fit; null: all. */
function toStatuses({ statuses, done }: JobFilter): readonly SwapJobStatus[] | null {
  if (statuses == null && done == null) return null
  return SWAP_JOB_STATUSES.filter(
    (status) => (statuses == null || statuses.includes(status)) && (done == null || done === isDone(status)),
  )
}

type Jobs = SelectQueryBuilder<Tables, 'jobs', object>

function narrow(db: Kysely<Tables>, tenant: string, filter: Narrowed): Jobs {
  const { ids, tags, status, clientReference, createdFrom, createdBefore } = filter
  let query: Jobs = db.selectFrom('jobs').where('jobs.tenant', '=', tenant)
  if (status !== null) query = query.where('jobs.status', '=', status)
  if (ids != null)
    query = query.where((where) => where.or([where('jobs.id', 'in', ids), where('upstream_id', 'in', ids)]))
  for (const tag of new Set(tags)) {
    query = query.where('jobs.id', 'in', (from) =>
      from.selectFrom('job_tags').select('job_id').where('job_tags.tenant', '=', tenant).where('tag', '=', tag),
    )
  }
  if (clientReference != null) query = query.where('client_reference', '=', clientReference)
  if (createdFrom != null) query = query.where('jobs.created_at', '>=', createdFrom)
  if (createdBefore != null) query = query.where('jobs.created_at', '<', createdBefore)
  return query
}

/** Where a page is read from: the jobs, or, where a tag is asked for, the jobs of that tag; both stand in its order. */
const BY_JOB = { createdAt: sql.ref<number>('jobs.created_at'), id: sql.ref<string>('jobs.id') }
const BY_TAG = { createdAt: sql.ref<number>('by_tag.created_at'), id: sql.ref<string>('by_tag.job_id') }

async function findPage(
  db: Kysely<Tables>,
  tenant: string,
  filter: Narrowed,
  { from, direction, limit }: ListRange,
): Promise<JobRow[]> {
  if (filter.ids?.length === 0) return []
  const { createdFrom = null, createdBefore = null, ...rest } = filter
  const [tag, ...tags] = new Set(filter.tags)
  const { createdAt, id } = tag === undefined ? BY_JOB : BY_TAG
  const isForward = direction === 'forward'
  const order = isForward ? 'desc' : 'asc'
  // Of two bounds on one side the nearer one alone: with both an index is entered at either.
  const isWithin =
    from !== null && (isForward ? from.createdAt < (createdBefore ?? Infinity) : from.createdAt >= (createdFrom ?? 0))
  const newest = isForward && isWithin ? null : createdBefore
  const oldest = !isForward && isWithin ? null : createdFrom
  return (
    narrow(db, tenant, { ...rest, tags })
      .selectAll('jobs')
      .$if(tag !== undefined, (query) =>
        query
          .innerJoin('job_tags as by_tag', 'by_tag.job_id', 'jobs.id')
          .where('by_tag.tenant', '=', tenant)
          .where('by_tag.tag', '=', tag ?? ''),
      )
      .$if(newest !== null, (query) => query.where(createdAt, '<', newest))
      .$if(oldest !== null, (query) => query.where(createdAt, '>=', oldest))
      // As one comparison of both: an index is entered right there.
      .$if(isWithin, (query) =>
        query.where(
          sql<SqlBool>`(${createdAt}, ${id}) ${sql.raw(isForward ? '<' : '>')} (${from?.createdAt}, ${from?.id})`,
        ),
      )
      .orderBy(createdAt, order)
      .orderBy(id, order)
      .limit(limit)
      .execute()
  )
}

function newestFirst(a: JobRow, b: JobRow): number {
  return b.created_at - a.created_at || (a.id < b.id ? 1 : -1)
}

function oldestFirst(a: JobRow, b: JobRow): number {
  return -newestFirst(a, b)
}
