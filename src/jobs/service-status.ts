/** Swap latency and service health, derived from recent jobs because the upstream reports neither. */
import { requireAllJobs, requireScope, type Viewer } from '../auth/viewer.ts'
import { MAX_INT } from '../domain/storable.ts'
import { isDone, type SwapJob, type SwapWaitReason } from '../domain/swap-job.ts'
import type { Clock } from '../lib/time/clock.ts'
import { type JobStore, USAGE_STEP_MS, type UsageSums } from '../store/job-store.ts'
import { RESERVE, startOfDay, type TenantBudgetOptions } from './lifecycle/tenant-budget.ts'
import type { UpstreamBreaker } from './lifecycle/upstream-breaker.ts'

const RECENT_MS = 60 * 60 * 1_000
const MAX_RECENT = 200
/** Facts are read often and change slowly. */
const FACTS_TTL_MS = 5_000
/** If hooks reported a smaller share of the finished jobs, hooks are not arriving. */
const HEALTHY_SHARE = 0.5
const MAX_COUNTED = 1_000

export interface ServiceStatusParts {
  readonly store: Pick<
    JobStore,
    'countUnfinished' | 'countWaiting' | 'listWaitingIds' | 'listRecent' | 'listRecentCharges' | 'sumUsage'
  >
  readonly breaker: Pick<UpstreamBreaker, 'isTripped' | 'nextPassAt'>
  readonly checks: Checks
  readonly room: { readonly maxInFlight: number; readonly maxWaiting: number }
  readonly budget: TenantBudgetOptions
  readonly clock: Pick<Clock, 'now'>
}

/** Results of the gateway's checks of its own connections; null while not known. */
export interface Checks {
  /** Whether the upstream accepts the gateway's key. */
  readonly keyAccepted: () => boolean | null
  /** Whether PUBLIC_URL could be reached from here. */
  readonly publicUrlReachable: () => boolean | null
}

export interface Service {
  readonly accepting: boolean
  readonly typicalMs: number | null
  readonly slowMs: number | null
  readonly hooksHealthy: boolean
  readonly typicalQuota: number | null
  readonly keyAccepted: boolean | null
  readonly publicUrlReachable: boolean | null
}

export interface Progress {
  /** Waiting jobs ahead of this one, if no more arrive; null once it is sent. */
  readonly ahead: number | null
  readonly medianDoneAt: number | null
  readonly p90DoneAt: number | null
  readonly overdue: boolean
  /** Null unless it waits to be submitted. */
  readonly waitingFor: SwapWaitReason | null
  /** Why the last submit was refused; null unless it waits to be submitted again. */
  readonly lastRefusal: string | null
  /** When it is submitted, or fetched from the upstream; null if it waits for a slot, or is being submitted. */
  readonly nextAttemptAt: number | null
}

export interface Usage extends UsageSums {
  readonly from: number
  readonly to: number
  /** Units left for today; null if the day has no limit, or the window is longer than a day. */
  readonly remaining: number | null
  readonly inFlight: number
  readonly maxInFlight: number
}

type Facts = Pick<Service, 'typicalMs' | 'slowMs' | 'hooksHealthy' | 'typicalQuota'>

export class ServiceStatus {
  readonly #parts: ServiceStatusParts
  #recent: { readonly at: number; readonly facts: Promise<Facts> } | null = null
  /** The read of the queue in progress, shared by concurrent estimates: the position of each waiting job. */
  #order: Promise<ReadonlyMap<string, number>> | null = null

  constructor(parts: ServiceStatusParts) {
    this.#parts = parts
  }

  async read(): Promise<Service> {
    const { breaker, store, room, checks } = this.#parts
    return {
      ...(await this.#facts()),
      keyAccepted: checks.keyAccepted(),
      publicUrlReachable: checks.publicUrlReachable(),
      accepting: !breaker.isTripped() && (await store.countWaiting(room.maxWaiting)) < room.maxWaiting,
    }
  }

  /** Estimates when the job will be done; null if it is done. */
  async estimate(job: SwapJob): Promise<Progress | null> {
    if (isDone(job.status)) return null
    const { clock, room } = this.#parts
    const { typicalMs, slowMs } = await this.#facts()
    const now = clock.now()
    const isWaiting = job.status === 'PENDING' && job.leaseUntil === null
    const ahead = isWaiting ? await this.#countAhead(job.id) : null
    const begun = job.submittedAt ?? now
    const doneAt = (ms: number | null) =>
      // Assumes that `maxInFlight` jobs run at a time.
      ms === null ? null : begun + ms * (1 + Math.floor((ahead ?? 0) / room.maxInFlight))
    const overdue = slowMs !== null && job.submittedAt !== null && now > job.submittedAt + slowMs
    return { ahead, medianDoneAt: doneAt(typicalMs), p90DoneAt: doneAt(slowMs), overdue, ...this.#findWait(job, now) }
  }

  #findWait(job: SwapJob, now: number): Pick<Progress, 'waitingFor' | 'lastRefusal' | 'nextAttemptAt'> {
    if (job.status !== 'PENDING') return { waitingFor: null, lastRefusal: null, nextAttemptAt: job.wakeAt }
    if (job.leaseUntil !== null) return { waitingFor: null, lastRefusal: null, nextAttemptAt: null }
    const { breaker } = this.#parts
    const { refusalReason, refusalMessage: lastRefusal } = job
    const attemptAt = Math.max(job.notBefore, breaker.nextPassAt() ?? 0)
    const nextAttemptAt = attemptAt > now ? attemptAt : null
    if (breaker.isTripped()) return { waitingFor: 'UPSTREAM_DOWN', lastRefusal, nextAttemptAt }
    return { waitingFor: nextAttemptAt === null ? 'SLOT' : (refusalReason ?? 'SLOT'), lastRefusal, nextAttemptAt }
  }

  async readUsage(viewer: Viewer, windowMs: number): Promise<Usage> {
    requireScope(viewer, 'swap:read')
    requireAllJobs(viewer)
    const { store, budget, room, clock } = this.#parts
    const { tenant } = viewer
    const to = clock.now()
    const from = startOfStep(to - windowMs)
    const [sums, today, inFlight] = await Promise.all([
      store.sumUsage(tenant, from, RESERVE),
      budget.quotaPerDay === null ? null : store.sumUsage(tenant, startOfDay(to), RESERVE),
      store.countUnfinished(tenant),
    ])
    const isAboutToday = windowMs <= 24 * 60 * 60 * 1_000
    return {
      counts: sums.counts,
      spent: Math.min(sums.spent, MAX_INT),
      uncertain: Math.min(sums.uncertain, MAX_INT),
      from,
      to,
      remaining:
        today === null || budget.quotaPerDay === null || !isAboutToday
          ? null
          : Math.max(0, budget.quotaPerDay - today.spent - today.uncertain),
      inFlight,
      maxInFlight: budget.maxInFlight ?? room.maxInFlight,
    }
  }

  #facts(): Promise<Facts> {
    const now = this.#parts.clock.now()
    if (this.#recent === null || this.#recent.at + FACTS_TTL_MS <= now) {
      const reading = this.#readFacts()
      this.#recent = { at: now, facts: reading }
      // A failed read is not cached.
      reading.catch(() => {
        this.#recent = null
      })
    }
    return this.#recent.facts
  }

  async #readFacts(): Promise<Facts> {
    const { store, clock } = this.#parts
    const [{ durationsMs, endedByHook, ended }, charges] = await Promise.all([
      store.listRecent(clock.now() - RECENT_MS, MAX_RECENT),
      store.listRecentCharges(MAX_RECENT),
    ])
    return {
      typicalMs: quantile(durationsMs, 0.5),
      slowMs: quantile(durationsMs, 0.9),
      hooksHealthy: ended === 0 || endedByHook >= ended * HEALTHY_SHARE,
      typicalQuota: quantile(charges, 0.5),
    }
  }

  /** Returns at most `MAX_COUNTED`. A job that is missing from the read counts as behind all that it returned. */
  async #countAhead(jobId: string): Promise<number> {
    this.#order ??= this.#readOrder()
    const aheadOf = await this.#order
    return aheadOf.get(jobId) ?? aheadOf.size
  }

  async #readOrder(): Promise<ReadonlyMap<string, number>> {
    try {
      const ids = await this.#parts.store.listWaitingIds(MAX_COUNTED)
      return new Map(ids.map((id, ahead) => [id, ahead]))
    } finally {
      this.#order = null
    }
  }
}

/** Usage is summed in steps, so a window starts at the start of its first step. */
function startOfStep(at: number): number {
  return at - (at % USAGE_STEP_MS)
}

/** @returns null if there are no values. */
function quantile(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? null
}
