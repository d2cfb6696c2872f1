/**
 * Admits the jobs of one batch in order. The database is counted once, and each job also counts those admitted before
 * it. The result is the same as if the jobs were recorded one after the other.
 */
import { settleAll } from '../../lib/async/settle-all.ts'
import type { Kysely } from 'kysely'
import type { CreatedJob, NewSwapJob, Room, TenantLimits } from '../job-store.ts'
import { countQueue, countTenant, type QueueCounts, type TenantCounts } from './quotas.ts'
import type { Tables } from './tables.ts'

/** The arguments of `JobStore.createJob`. */
export interface JobRequest {
  readonly job: NewSwapJob
  readonly room: Room
  readonly limits: TenantLimits
}

/** `free`: the job may be submitted at once. `queue`: it waits. Otherwise it is not recorded. */
type Admission =
  | { readonly kind: 'free' }
  | { readonly kind: 'queue' }
  | Extract<CreatedJob, { kind: 'full' | 'tenantFull' | 'quotaSpent' | 'contentRefused' }>

/** Jobs of the batch that were admitted so far, of all tenants or of one. */
interface Admitted {
  claimed: number
  waiting: number
}

/** The counts that a job is checked against: those of the database, and the tenant's jobs admitted in the batch. */
interface Counts {
  readonly queue: QueueCounts
  readonly tenant: TenantCounts
  readonly own: Admitted
}

export class BatchAdmission {
  readonly #countsOf: ReadonlyMap<JobRequest, Counts>
  readonly #all: Admitted = { claimed: 0, waiting: 0 }

  private constructor(countsOf: ReadonlyMap<JobRequest, Counts>) {
    this.#countsOf = countsOf
  }

  /** Counts once for each distinct room, and once for each distinct tenant and limits. */
  static async open(trx: Kysely<Tables>, requests: readonly JobRequest[]): Promise<BatchAdmission> {
    const now = Math.max(...requests.map(({ job }) => job.createdAt))
    const queues = new Map<string, Promise<QueueCounts>>()
    const tenants = new Map<string, Promise<TenantCounts>>()
    const admitted = new Map<string, Admitted>()
    const counting = requests.map(async (request): Promise<[JobRequest, Counts]> => {
      const { job, room, limits } = request
      const [queue, tenant] = await settleAll([
        getOrAdd(queues, JSON.stringify(room), async () => countQueue(trx, room, now)),
        getOrAdd(tenants, JSON.stringify([job.tenant, limits]), async () => countTenant(trx, job.tenant, limits)),
      ])
      return [request, { queue, tenant, own: getOrAdd(admitted, job.tenant, () => ({ claimed: 0, waiting: 0 })) }]
    })
    return new BatchAdmission(new Map(await settleAll(counting)))
  }

  /** Decides on the next job, and counts it if it is admitted. */
  admit(request: JobRequest): Admission {
    const counts = this.#countsOf.get(request)
    if (!counts) throw new TypeError('the job does not belong to this batch')
    const { queue, tenant, own } = counts
    const admission = decideAdmission(
      request,
      {
        inFlight: queue.inFlight + this.#all.claimed,
        waiting: queue.waiting + this.#all.waiting,
        isDue: queue.isDue || this.#all.waiting > 0,
      },
      {
        refusals: tenant.refusals,
        ownRefusals: tenant.ownRefusals,
        spent: tenant.spent + (own.claimed + own.waiting) * (request.limits.quota?.reserve ?? 0),
        unfinished: tenant.unfinished + own.claimed + own.waiting,
        waiting: tenant.waiting + own.waiting,
      },
    )
    if (admission.kind !== 'free' && admission.kind !== 'queue') return admission
    const state = isClaimed(admission, request.job) ? 'claimed' : 'waiting'
    own[state] += 1
    this.#all[state] += 1
    return admission
  }
}

/** Whether the job is recorded with its first lease. */
export function isClaimed({ kind }: Admission, { leaseUntil }: NewSwapJob): boolean {
  return kind === 'free' && leaseUntil !== null
}

function getOrAdd<Value>(map: Map<string, Value>, key: string, create: () => Value): Value {
  const value = map.get(key) ?? create()
  map.set(key, value)
  return value
}

function decideAdmission(
  { room, limits }: JobRequest,
  queue: QueueCounts,
  { spent, unfinished, waiting, ownRefusals, refusals }: TenantCounts,
): Admission {
  const { quota, maxUnfinished, maxWaiting, contentRefusals } = limits
  if (refusals >= contentRefusals.maxOverall || ownRefusals >= contentRefusals.maxPerTenant) {
    return { kind: 'contentRefused' }
  }
  if (maxUnfinished !== null && unfinished >= maxUnfinished) return { kind: 'tenantFull' }
  if (quota !== null) {
    const remaining = quota.limit - spent
    if (remaining < quota.reserve) return { kind: 'quotaSpent', remaining: Math.max(0, remaining) }
  }
  if (queue.waiting >= room.maxWaiting) return { kind: 'full' }
  if (queue.inFlight < room.maxInFlight && !queue.isDue) return { kind: 'free' }
  // A tenant may use at most as many slots as remain free for others: half of the queue if no other tenant waits.
  const left = room.maxWaiting - queue.waiting
  if (maxWaiting !== null && waiting >= Math.min(maxWaiting, left)) return { kind: 'tenantFull' }
  return { kind: 'queue' }
}
