import type { SwapJob } from '../../domain/swap-job.ts'
import type { Background } from '../../lib/async/background.ts'
import type { Clock } from '../../lib/time/clock.ts'
import type { JobStore } from '../../store/job-store.ts'

/**
 * Lease duration; the submitter renews it while alive. After it expires without a report, other processes presume the
 * submitter dead, and the submit becomes unconfirmed.
 */
export const SUBMIT_LEASE_MS = 12_000
const RENEW_EVERY_MS = 4_000
/** Longer than any submit takes. A lease held longer is given up as if its process had died. */
const RENEW_FOR_MS = 33_000

/** Renews the claims of this process, all of them together. */
export interface Leases {
  hold(claimed: SwapJob): HeldLease
  /**
   * For a claim whose commit outcome is unknown: the job counts as held, without renewals, until the returned function
   * is called.
   */
  doubt(jobId: string): () => void
  /** Whether this process is submitting the job. Its lease may have expired if it could not be renewed in time. */
  isHeld(jobId: string): boolean
}

/** Released automatically if another process moves the job, or after RENEW_FOR_MS. */
export interface HeldLease {
  /** Stops renewals. Resolves once none is in progress, so that a renewal cannot overwrite a later write. */
  stopRenewing(): Promise<void>
  /** Ends the hold; call it when the submit is over. */
  release(): void
}

interface Held {
  readonly claimed: SwapJob
  readonly until: number
  isRenewed: boolean
  renewal: Promise<void>
}

export function createLeases(store: Pick<JobStore, 'applyDecision'>, background: Background, clock: Clock): Leases {
  /** By job id. */
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

  /** Renews in rounds until no lease is held. */
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
