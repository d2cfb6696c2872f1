/** What is counted of the jobs, each no further than its limit: the cost does not grow with their number. */
import { type Expression, type ExpressionBuilder, expressionBuilder, type Kysely, type SqlBool } from 'kysely'
import type { CreatedJob, Room, TenantLimits } from './job-store.ts'
import type { Tables } from './tables.ts'

export type Where = ExpressionBuilder<Tables, 'jobs'>

export const isInFlight = (where: Where) =>
  where.and([
    where('wake_at', 'is not', null),
    where.or([
      where('status', '=', 'ON_QUEUE'),
      where.and([where('status', '=', 'PENDING'), where('lease_until', 'is not', null)]),
    ]),
  ])

export const isWaiting = (where: Where) =>
  where.and([where('wake_at', 'is not', null), where('status', '=', 'PENDING'), where('lease_until', 'is', null)])

/** How many jobs there are of a kind, counted no further than `limit`. */
export function countUpTo(limit: number, condition: (where: Where) => Expression<SqlBool>) {
  const { selectFrom } = expressionBuilder<Tables>()
  const some = selectFrom('jobs').select('jobs.id').where(condition).limit(limit).as('some')
  return selectFrom(some).select(({ fn }) => fn.countAll<number>().as('count'))
}

/** How full the queue is, and whether somebody waits who could be submitted now. */
export async function countQueue(trx: Kysely<Tables>, room: Room, now: number) {
  const isDue = (where: Where) => where.and([isWaiting(where), where('not_before', '<=', now)])
  return trx
    .selectNoFrom([
      countUpTo(room.maxInFlight, isInFlight).as('in_flight'),
      countUpTo(1, isDue).as('due'),
      countUpTo(room.maxWaiting, isWaiting).as('waiting'),
    ])
    .$narrowType<{ in_flight: number; due: number; waiting: number }>()
    .executeTakeFirstOrThrow()
}

export const isContentRefusal = (since: number) => (where: Where) =>
  where.and([where('failure_code', '=', 'CONTENT_REFUSED'), where('finished_at', '>=', since)])

/** What stands against another job of the tenant's; null when nothing does. */
export async function findTenantLimit(
  trx: Kysely<Tables>,
  tenant: string,
  { since, quota, maxUnfinished, contentRefusals }: TenantLimits,
): Promise<Extract<CreatedJob, { kind: 'tenantFull' | 'quotaSpent' | 'contentRefused' }> | null> {
  const isOwn = (where: Where) => where('tenant', '=', tenant)
  const { maxPerTenant, maxOverall } = contentRefusals
  const isRefusal = isContentRefusal(contentRefusals.since)
  const isUnfinished = (where: Where) => where.and([isOwn(where), where('wake_at', 'is not', null)])
  const counts = await trx
    .selectNoFrom([
      countUpTo(maxOverall, isRefusal).as('refusals'),
      countUpTo(maxPerTenant, (where) => where.and([isOwn(where), isRefusal(where)])).as('own_refusals'),
      countUpTo(maxUnfinished ?? 1, isUnfinished).as('unfinished'),
    ])
    .$narrowType<{ refusals: number; own_refusals: number; unfinished: number }>()
    .executeTakeFirstOrThrow()
  if (counts.refusals >= maxOverall || counts.own_refusals >= maxPerTenant) return { kind: 'contentRefused' }
  if (maxUnfinished !== null && counts.unfinished >= maxUnfinished) return { kind: 'tenantFull' }
  if (quota === null) return null
  const remaining = quota.limit - (await sumSpent(trx, tenant, since, quota.reserve))
  return remaining < quota.reserve ? { kind: 'quotaSpent', remaining: Math.max(0, remaining) } : null
}

/** Units of the jobs made since then: what was charged, and `reserve` for each whose charge is not, or never, known. */
async function sumSpent(trx: Kysely<Tables>, tenant: string, since: number, reserve: number): Promise<number> {
  const { spent } = await trx
    .selectFrom('jobs')
    .select(({ fn, eb }) =>
      fn
        .sum<number | null>(
          eb
            .case()
            .when('charge_state', '=', 'NOT_CHARGED')
            .then(0)
            .when('charge_state', '=', 'CHARGED')
            .then(fn.coalesce('charge_quota', eb.lit(reserve)))
            .else(reserve)
            .end(),
        )
        .as('spent'),
    )
    .where('tenant', '=', tenant)
    .where('created_at', '>=', since)
    .executeTakeFirstOrThrow()
  return spent ?? 0
}
