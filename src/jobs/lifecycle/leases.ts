import type { SwapJob } from '../../domain/swap-job.ts'
import type { Background } from '../../lib/async/background.ts'
import type { Clock } from '../../lib/time/clock.ts'
import type { JobStore } from '../../store/job-store.ts'

/**
 * How long a claim holds unless its submitter, which lives, renews it. When it is over without a report the submitter
 * is taken for dead by all but its own process, and what it sent is unconfirmed.
 */
export const SUBMIT_LEASE_MS = 12_000
const RENEW_EVERY_MS = 4_000
/** No submit takes longer: one that seems to is given up as if its process had died. */
const RENEW_FOR_MS = 33_000

/** Keeps the claims of this process alive, all of them together. */
export interface Leases {
  hold(claimed: SwapJob): HeldLease
  /**
   * For a claim whose commit is in doubt: the job counts as held, without renewals, until the returned function is called.
   */
  doubt(jobId: string): () => void
  /** Whether this process is submitting the job: it knows better than a lease that it could not renew in time. */
  isHeld(jobId: string): boolean
}

/** Ends by itself when somebody else has moved the job, or after too long. */
export interface HeldLease {
  /** Renews the claim no more; resolves once none is under way: what is written then has the last word on it. */
  stopRenewing(): Promise<void>
  /** What came of the submit is written down. */
  release(): void
}

interface Held {
  readonly claimed: SwapJob
  readonly until: number
  isRenewed: boolean
  renewal: Promise<void>
}

export function createLeases(store: Pick<JobStore, 'applyDecision'>, background: Background, clock: Clock): Leases {
  /** By job. */
  const held = new Map<string, Held>()
  const doubted = new Set<string>()
  let idle = new AbortController()

  const release = (one: Held) => held.get(one.claimed.id) === one && held.delete(one.claimed.id)

  const renew = async (one: Held) => {
    const now = clock.now()
    if (now >= one.until) release(one)
    else if (one.isRenewed) {
      const leaseUntil = now + SUBMIT_LEASE_MS
      const bookkeeping = { kind: 'bookkeeping', patch: { leaseUntil, wakeAt: leaseUntil } } as const
      const renewed = await store.applyDecision(one.claimed, bookkeeping, now, 'SUBMIT').catch(() => one.claimed)
      if (!renewed) release(one)
    }
  }

  /** One round at a time: it ends when nothing is held any more. */
  const renewAll = async (over: AbortSignal) => {
    while (!over.aborted && held.size > 0) {
      await clock.delay(RENEW_EVERY_MS, over).catch(() => null)
      if (over.aborted) return
      const renewals = [...held.values()].map((one) => (one.renewal = renew(one)))
      await Promise.all(renewals)
    }
  }

  return {
    hold: (claimed) => {
      const one = { claimed, until: clock.now() + RENEW_FOR_MS, isRenewed: true, renewal: Promise.resolve() }
      held.set(claimed.id, one)
      if (held.size === 1) {
        idle.abort()
        idle = new AbortController()
        const { signal } = idle
        background.run('renew leases', () => renewAll(signal))
      }
      return {
        stopRenewing: async () => {
          one.isRenewed = false
          await one.renewal
        },
        release: () => {
          if (release(one) && held.size === 0) idle.abort()
        },
      }
    },
    doubt: (jobId) => {
      doubted.add(jobId)
      return () => doubted.delete(jobId)
    },
    isHeld: (jobId) => held.has(jobId) || doubted.has(jobId),
  }
}
