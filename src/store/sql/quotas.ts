/** What is counted of the jobs, each no further than its limit: the cost does not grow with their number. */
import { type Expression, type ExpressionBuilder, expressionBuilder, type Kysely, sql, type SqlBool } from 'kysely'
import { isDone, SWAP_JOB_STATUSES, type SwapFailureCode } from '../../domain/swap-job.ts'
import type { ContentRefusals, CreatedJob, Room, TenantLimits } from '../job-store.ts'
import { compileQuery } from './compiled-query.ts'
import type { Tables } from './tables.ts'
import { sumUsage } from './usage-sums.ts'

export type Where = ExpressionBuilder<Tables, 'jobs'>

/** As the indexes of unfinished jobs say it: what names them otherwise is looked for in all that there have ever been. */
export const isUnfinished = (where: Where) => where('finished_at', 'is', null)

export const isWaiting = (where: Where) =>
  where.and([isUnfinished(where), where('status', '=', 'PENDING'), where('lease_until', 'is', null)])

/** How many jobs there are of a kind, counted no further than `limit`. */
export function countUpTo(limit: number, condition: (where: Where) => Expression<SqlBool>) {
  const { selectFrom } = expressionBuilder<Tables>()
  // Nothing of a row itself: an index that says which they are is enough.
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

/** Jobs that are, or may be, at the upstream; each kind is counted in the queue's index, no further than `limit`. */
export function countInFlight(limit: number) {
  const add = expressionBuilder<Tables>()
  return add(countUpTo(limit, isOnQueue), '+', countUpTo(limit, isSending))
}

interface QueueCounts {
  readonly in_flight: number
  readonly due: number
  readonly waiting: number
}

const selectQueueCounts = compileQuery((trx, { maxInFlight, maxWaiting, now }: Room & { readonly now: number }) => {
  const isDue = (where: Where) => where.and([isWaiting(where), where('not_before', '<=', now)])
  return trx
    .selectNoFrom([
      countInFlight(maxInFlight).as('in_flight'),
      countUpTo(1, isDue).as('due'),
      countUpTo(maxWaiting, isWaiting).as('waiting'),
    ])
    .$narrowType<QueueCounts>()
})

/** How full the queue is, and whether somebody waits who could be submitted now. */
export async function countQueue(trx: Kysely<Tables>, { maxInFlight, maxWaiting }: Room, now: number) {
  const [counts] = await selectQueueCounts(trx, { maxInFlight, maxWaiting, now })
  if (!counts) throw new TypeError('counts are one row')
  return counts
}

/** Written out, not bound: the index of just these is used for no statement that could mean another code. */
export const CONTENT_REFUSED = sql<SwapFailureCode>`'CONTENT_REFUSED'`

export const isContentRefusal = (since: number) => (where: Where) =>
  where.and([where('failure_code', '=', CONTENT_REFUSED), where('finished_at', '>=', since)])

const UNFINISHED_STATUSES = SWAP_JOB_STATUSES.filter((status) => !isDone(status))

interface TenantCounts {
  readonly refusals: number
  readonly own_refusals: number
  readonly unfinished: number
  readonly waiting: number
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
    // By their statuses: in the index of these, and not through all that the tenant has ever had.
    const isOwnUnfinished = (where: Where) => where.and([isOwn(where), where('status', 'in', UNFINISHED_STATUSES)])
    return trx
      .selectNoFrom([
        countUpTo(maxOverall, isRefusal).as('refusals'),
        countUpTo(maxPerTenant, (where) => where.and([isOwn(where), isRefusal(where)])).as('own_refusals'),
        countUpTo(maxUnfinished, isOwnUnfinished).as('unfinished'),
        countUpTo(maxWaiting, (where) => where.and([isOwn(where), isWaiting(where)])).as('waiting'),
      ])
      .$narrowType<TenantCounts>()
  },
)

const NO_USAGE = { spent: 0, uncertain: 0 }

/** What a tenant has had and has, as far as its limits go. */
export async function countOfTenant(
  trx: Kysely<Tables>,
  tenant: string,
  { since, quota, maxUnfinished, maxWaiting, contentRefusals }: TenantLimits,
) {
  const [[counts], { spent, uncertain }] = await Promise.all([
    selectTenantCounts(trx, {
      tenant,
      maxUnfinished: maxUnfinished ?? 1,
      maxWaiting: maxWaiting ?? 1,
      ...contentRefusals,
    }),
    quota === null ? NO_USAGE : sumUsage(trx, tenant, since, quota.reserve),
  ])
  if (!counts) throw new TypeError('counts are one row')
  return { spent: spent + uncertain, ...counts }
}

/** What there is for a new job: a place upstream (`free`), one in the queue, or what stands against it. */
type Place =
  | { readonly kind: 'free' }
  | { readonly kind: 'queue' }
  | Extract<CreatedJob, { kind: 'full' | 'tenantFull' | 'quotaSpent' | 'contentRefused' }>

/** @param unseen jobs that were recorded before it and are not in the counts: of this tenant, and upstream, for all we know. */
export function findSequence(
  ofTenant: Awaited<ReturnType<typeof countOfTenant>>,
  ofQueue: Awaited<ReturnType<typeof countQueue>>,
  room: Room,
  { quota, maxUnfinished, maxWaiting, contentRefusals }: TenantLimits,
  unseen: number,
): Place {
  const { refusals, own_refusals: ownRefusals, unfinished, spent } = ofTenant
  const { in_flight: inFlight, due, waiting } = ofQueue
  if (refusals >= contentRefusals.maxOverall || ownRefusals >= contentRefusals.maxPerTenant) {
    return { kind: 'contentRefused' }
  }
  if (maxUnfinished !== null && unfinished + unseen >= maxUnfinished) return { kind: 'tenantFull' }
  if (quota !== null) {
    const remaining = quota.limit - spent - unseen * quota.reserve
    if (remaining < quota.reserve) return { kind: 'quotaSpent', remaining: Math.max(0, remaining) }
  }
  if (waiting + unseen >= room.maxWaiting) return { kind: 'full' }
  if (inFlight + unseen < room.maxInFlight && due === 0) return { kind: 'free' }
  // As many as are free for others: at most half of the room, and less the fuller it is.
  const free = room.maxWaiting - waiting - unseen
  if (maxWaiting !== null && ofTenant.waiting + unseen >= Math.min(maxWaiting, free)) return { kind: 'tenantFull' }
  return { kind: 'queue' }
}
