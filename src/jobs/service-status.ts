/** How long swaps take of late, and how the service is doing: told from recent jobs, since the upstream tells nothing. */
import { requireAllJobs, requireScope, type Viewer } from '../auth/viewer.ts'
import { MAX_INT } from '../domain/storable.ts'
import { isDone, type SwapJob } from '../domain/swap-job.ts'
import type { Clock } from '../lib/time/clock.ts'
import { type JobStore, USAGE_STEP_MS, type UsageSums } from '../store/job-store.ts'
import { RESERVE, startOfDay, type TenantBudgetOptions } from './lifecycle/tenant-budget.ts'
import type { UpstreamBreaker } from './lifecycle/upstream-breaker.ts'

const RECENT_MS = 60 * 60 * 1_000
const MAX_RECENT = 200
/** Told anew no more often: many ask, and it hardly changes. */
const KEPT_FOR_MS = 5_000
/** Ends that hooks have told, of all; fewer, and hooks do not come in. */
const HEALTHY_SHARE = 0.5
const MAX_COUNTED = 1_000

export interface ServiceStatusParts {
  readonly store: Pick<JobStore, 'countUnfinished' | 'countWaiting' | 'listWaitingIds' | 'listRecent' | 'sumUsage'>
  readonly breaker: Pick<UpstreamBreaker, 'isTripped'>
  readonly room: { readonly maxInFlight: number; readonly maxWaiting: number }
  readonly budget: TenantBudgetOptions
  readonly clock: Pick<Clock, 'now'>
}

export interface Service {
  readonly accepting: boolean
  readonly typicalMs: number | null
  readonly slowMs: number | null
  readonly hooksHealthy: boolean
}

export interface Progress {
  /** Waiting jobs that would be submitted before it if no further ones came; null once it is sent. */
  readonly ahead: number | null
  readonly medianDoneAt: number | null
  readonly p90DoneAt: number | null
  readonly overdue: boolean
}

export interface Usage extends UsageSums {
  readonly from: number
  readonly to: number
  /** What may still be spent today; null where that is not limited, or not what was asked about. */
  readonly remaining: number | null
  readonly inFlight: number
  readonly maxInFlight: number
}

export interface ServiceStatus {
  read(): Promise<Service>
  /** Null for a job that is done. */
  estimate(job: SwapJob): Promise<Progress | null>
  readUsage(viewer: Viewer, windowMs: number): Promise<Usage>
}

/** Usage is summed in steps: a window begins with the step that it would begin in. */
function startOfStep(at: number): number {
  return at - (at % USAGE_STEP_MS)
}

export function createServiceStatus({ store, breaker, room, budget, clock }: ServiceStatusParts): ServiceStatus {
  let recent: { readonly at: number; readonly facts: Promise<Omit<Service, 'accepting'>> } | null = null

  const readFacts = async (): Promise<Omit<Service, 'accepting'>> => {
    const { durationsMs, endedByHook, ended } = await store.listRecent(clock.now() - RECENT_MS, MAX_RECENT)
    const sorted = durationsMs.toSorted((a, b) => a - b)
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? null
    return { typicalMs: at(0.5), slowMs: at(0.9), hooksHealthy: ended === 0 || endedByHook >= ended * HEALTHY_SHARE }
  }

  const facts = async () => {
    const now = clock.now()
    if (recent === null || recent.at + KEPT_FOR_MS <= now) {
      const reading = readFacts()
      recent = { at: now, facts: reading }
      // The next who asks tries again.
      reading.catch(() => {
        recent = null
      })
    }
    return recent.facts
  }

  /** Read once for all jobs of an answer. */
  let order: Promise<ReadonlyMap<string, number>> | null = null
  const readOrder = async () => {
    try {
      const ids = await store.listWaitingIds(MAX_COUNTED)
      return new Map(ids.map((id, ahead) => [id, ahead]))
    } finally {
      order = null
    }
  }
  /** At most `MAX_COUNTED`; all of the queue for a job that came after it was read. */
  const countAhead = async (jobId: string) => {
    order ??= readOrder()
    const aheadOf = await order
    return aheadOf.get(jobId) ?? aheadOf.size
  }

  return {
    read: async () => ({
      ...(await facts()),
      accepting: !breaker.isTripped() && (await store.countWaiting(room.maxWaiting)) < room.maxWaiting,
    }),

    estimate: async (job) => {
      if (isDone(job.status)) return null
      const { typicalMs, slowMs } = await facts()
      const now = clock.now()
      const isWaiting = job.status === 'PENDING' && job.leaseUntil === null
      const ahead = isWaiting ? await countAhead(job.id) : null
      const begun = job.submittedAt ?? now
      const doneAt = (ms: number | null) =>
        // Those ahead go as many at a time as there is room for.
        ms === null ? null : begun + ms * (1 + Math.floor((ahead ?? 0) / room.maxInFlight))
      const overdue = slowMs !== null && job.submittedAt !== null && now > job.submittedAt + slowMs
      return { ahead, medianDoneAt: doneAt(typicalMs), p90DoneAt: doneAt(slowMs), overdue }
    },

    readUsage: async (viewer, windowMs) => {
      requireScope(viewer, 'swap:read')
      requireAllJobs(viewer)
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
    },
  }
}
