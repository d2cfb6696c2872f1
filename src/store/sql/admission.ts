/**
 * Admits the jobs of one batch in order: what the database held before the batch is counted once, and each job also counts
 * those admitted before it. The result is the same as if the jobs had been recorded one after the other.
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

export class BatchAdmission {
  readonly #queue: ReadonlyMap<string, QueueCounts>
  readonly #tenants: ReadonlyMap<string, TenantCounts>
  readonly #all: Admitted = { claimed: 0, waiting: 0 }
  readonly #byTenant = new Map<string, Admitted>()

  private constructor(queue: ReadonlyMap<string, QueueCounts>, tenants: ReadonlyMap<string, TenantCounts>) {
    this.#queue = queue
    this.#tenants = tenants
  }

  /** Counts once for each room and for each tenant with its limits: mostly one room, and each tenant once. */
  static async open(trx: Kysely<Tables>, requests: readonly JobRequest[]): Promise<BatchAdmission> {
    const now = Math.max(...requests.map(({ job }) => job.createdAt))
    const queues = new Map(requests.map((request) => [toQueueKey(request), request]))
    const tenants = new Map(requests.map((request) => [toTenantKey(request), request]))
    const [byQueue, byTenant] = await settleAll([
      settleAll([...queues].map(async ([key, { room }]) => [key, await countQueue(trx, room, now)] as const)),
      settleAll(
        [...tenants].map(async ([key, { job, limits }]) => [key, await countTenant(trx, job.tenant, limits)] as const),
      ),
    ])
    return new BatchAdmission(new Map(byQueue), new Map(byTenant))
  }

  /** Decides on the next job, and counts it if it is admitted. */
  admit(request: JobRequest): Admission {
    const queue = this.#queue.get(toQueueKey(request))
    const tenant = this.#tenants.get(toTenantKey(request))
    if (!queue || !tenant) throw new TypeError('the job is not one of the batch')
    const own = this.#byTenant.get(request.job.tenant) ?? { claimed: 0, waiting: 0 }
    const admission = decideAdmission(
      request,
      {
        inFlight: queue.inFlight + this.#all.claimed,
        waiting: queue.waiting + this.#all.waiting,
        isDue: queue.isDue || this.#all.waiting > 0,
      },
      {
        ...tenant,
        spent: tenant.spent + (own.claimed + own.waiting) * (request.limits.quota?.reserve ?? 0),
        unfinished: tenant.unfinished + own.claimed + own.waiting,
        waiting: tenant.waiting + own.waiting,
      },
    )
    if (admission.kind !== 'free' && admission.kind !== 'queue') return admission
    const state = isClaimed(admission, request.job) ? 'claimed' : 'waiting'
    own[state] += 1
    this.#all[state] += 1
    this.#byTenant.set(request.job.tenant, own)
    return admission
  }
}

/** Whether the job is recorded with its first lease. */
export function isClaimed({ kind }: Admission, { leaseUntil }: NewSwapJob): boolean {
  return kind === 'free' && leaseUntil !== null
}

function toQueueKey({ room }: JobRequest): string {
  return JSON.stringify(room)
}

function toTenantKey({ job, limits }: JobRequest): string {
  return JSON.stringify([job.tenant, limits])
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
  // At most as many as are left for other tenants: at most half of the queue, and fewer the fuller it is.
  const left = room.maxWaiting - queue.waiting
  if (maxWaiting !== null && waiting >= Math.min(maxWaiting, left)) return { kind: 'tenantFull' }
  return { kind: 'queue' }
}
