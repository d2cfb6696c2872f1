/** Counts jobs, each count up to its limit, so that the cost does not grow with the number of jobs. */
import { type Expression, type ExpressionBuilder, expressionBuilder, type Kysely, sql, type SqlBool } from 'kysely'
import { settleAll } from '../../lib/async/settle-all.ts'
import { isDone, SWAP_JOB_STATUSES, type SwapFailureCode } from '../../domain/swap-job.ts'
import type { ContentRefusals, Room, TenantLimits } from '../job-store.ts'
import { compileQuery } from './compiled-query.ts'
import type { Tables } from './tables.ts'
import { sumUsage } from './usage-sums.ts'

export type Where = ExpressionBuilder<Tables, 'jobs'>

/** Must match the partial indexes' predicate exactly, or the query scans all jobs. */
export const isUnfinished = (where: Where) => where('finished_at', 'is', null)

export const isWaiting = (where: Where) =>
  where.and([isUnfinished(where), where('status', '=', 'PENDING'), where('lease_until', 'is', null)])

/** Counts the jobs that meet a condition, up to `limit`. */
export function countUpTo(limit: number, condition: (where: Where) => Expression<SqlBool>) {
  const { selectFrom } = expressionBuilder<Tables>()
  // Selects no column, so an index alone is enough.
  const some = selectFrom('jobs')
    .select(({ lit }) => lit(1).as('one'))
    .where(condition)
    .limit(limit)
    .as('some')
  return selectFrom(some).select(({ fn }) => fn.countAll<number>().as('count'))
}

const isOnQueue = (where: Where) => where.and([isUnfinished(where), where('status', '=', 'ON_QUEUE')])
const isSending = (where: Where) =>
  where.and([isUnfinished(where), where('status', '=', 'PENDING'), where('lease_until', 'is not', null)])

/** Counts the jobs ON_QUEUE and those being submitted, each up to `limit`, from the queue's index. */
export function countInFlight(limit: number) {
  const add = expressionBuilder<Tables>()
  return add(countUpTo(limit, isOnQueue), '+', countUpTo(limit, isSending))
}

interface QueueRow {
  readonly in_flight: number
  readonly due: number
  readonly waiting: number
}

/** How full the queue is. */
export interface QueueCounts {
  readonly inFlight: number
  readonly waiting: number
  /** Whether a waiting job may be submitted now. */
  readonly isDue: boolean
}

const selectQueueCounts = compileQuery((trx, { maxInFlight, maxWaiting, now }: Room & { readonly now: number }) => {
  const isDue = (where: Where) => where.and([isWaiting(where), where('not_before', '<=', now)])
  return trx
    .selectNoFrom([
      countInFlight(maxInFlight).as('in_flight'),
      countUpTo(1, isDue).as('due'),
      countUpTo(maxWaiting, isWaiting).as('waiting'),
    ])
    .$narrowType<QueueRow>()
})

export async function countQueue(
  trx: Kysely<Tables>,
  { maxInFlight, maxWaiting }: Room,
  now: number,
): Promise<QueueCounts> {
  const [row] = await selectQueueCounts(trx, { maxInFlight, maxWaiting, now })
  if (!row) throw new TypeError('counts are one row')
  return { inFlight: row.in_flight, waiting: row.waiting, isDue: row.due > 0 }
}

/** A literal, not a parameter: a partial index is used only if its predicate is known when the query is planned. */
export const CONTENT_REFUSED = sql<SwapFailureCode>`'CONTENT_REFUSED'`

export const isContentRefusal = (since: number) => (where: Where) =>
  where.and([where('failure_code', '=', CONTENT_REFUSED), where('finished_at', '>=', since)])

const UNFINISHED_STATUSES = SWAP_JOB_STATUSES.filter((status) => !isDone(status))

interface TenantRow {
  readonly refusals: number
  readonly own_refusals: number
  readonly unfinished: number
  readonly waiting: number
}

/** A tenant's use of its limits. */
export interface TenantCounts {
  /** Units spent or reserved. */
  readonly spent: number
  readonly unfinished: number
  readonly waiting: number
  /** Jobs refused on grounds of content. */
  readonly ownRefusals: number
  /** Jobs of all tenants refused on grounds of content. */
  readonly refusals: number
}

const selectTenantCounts = compileQuery(
  (
    trx,
    values: ContentRefusals & {
      readonly tenant: string
      readonly maxUnfinished: number
      readonly maxWaiting: number
    },
  ) => {
    const { tenant, maxUnfinished, maxWaiting, since, maxPerTenant, maxOverall } = values
    const isOwn = (where: Where) => where('tenant', '=', tenant)
    const isRefusal = isContentRefusal(since)
    // By status: this uses the index on tenant and status instead of scanning all jobs of the tenant.
    const isOwnUnfinished = (where: Where) => where.and([isOwn(where), where('status', 'in', UNFINISHED_STATUSES)])
    return trx
      .selectNoFrom([
        countUpTo(maxOverall, isRefusal).as('refusals'),
        countUpTo(maxPerTenant, (where) => where.and([isOwn(where), isRefusal(where)])).as('own_refusals'),
        countUpTo(maxUnfinished, isOwnUnfinished).as('unfinished'),
        countUpTo(maxWaiting, (where) => where.and([isOwn(where), isWaiting(where)])).as('waiting'),
      ])
      .$narrowType<TenantRow>()
  },
)

const NO_USAGE = { spent: 0, uncertain: 0 }

export async function countTenant(
  trx: Kysely<Tables>,
  tenant: string,
  { since, quota, maxUnfinished, maxWaiting, contentRefusals }: TenantLimits,
): Promise<TenantCounts> {
  const [[row], { spent, uncertain }] = await settleAll([
    selectTenantCounts(trx, {
      tenant,
      maxUnfinished: maxUnfinished ?? 1,
      maxWaiting: maxWaiting ?? 1,
      ...contentRefusals,
    }),
    quota === null ? NO_USAGE : sumUsage(trx, tenant, since, quota.reserve),
  ])
  if (!row) throw new TypeError('counts are one row')
  const { refusals, own_refusals: ownRefusals, unfinished, waiting } = row
  return { spent: spent + uncertain, unfinished, waiting, ownRefusals, refusals }
}
