import type { SwapJob } from '../../src/domain/swap-job.ts'
import type { NewSwapJob } from '../../src/store/job-store.ts'

/** No limits, except low ones for content refusals. */
export const LIMITS = {
  since: 0,
  quota: null,
  maxUnfinished: null,
  maxWaiting: null,
  contentRefusals: { since: 0, maxPerTenant: 2, maxOverall: 3 },
}

const NO_ORIGIN = { uploadId: null, resultOf: null }

/** Defaults of a job. */
const PLAIN = {
  targetImageUrl: 'https://example.com/t.jpg',
  swapImageUrl: 'https://example.com/f.jpg',
  targetOrigin: NO_ORIGIN,
  swapOrigin: NO_ORIGIN,
  clientReference: null,
  tags: [],
  keepDays: 7,
  retryOf: null,
  hookUrl: null,
  hookFormat: 'EVENT',
  hookAddress: 'https://gateway/hooks/1',
  traceContext: null,
} as const

/** Returns a waiting job recorded at `now`. */
export function makeSwapJob(now: number, over: Partial<SwapJob> = {}): SwapJob {
  return {
    ...PLAIN,
    id: 'job_1',
    tenant: 'local',
    status: 'PENDING',
    version: 1,
    upstreamId: null,
    upstreamStatus: null,
    links: null,
    failure: null,
    upstreamMessage: null,
    charge: { state: 'PENDING', quota: null },
    createdAt: now,
    updatedAt: now,
    submittedAt: null,
    finishedAt: null,
    copyId: null,
    mirrorFailure: null,
    purgeAt: null,
    forgottenAt: null,
    fencing: 0,
    leaseUntil: null,
    notBefore: now,
    refusalReason: null,
    refusalMessage: null,
    fetches: 0,
    wakeAt: now,
    deadlineAt: null,
    failedSeenAt: null,
    ...over,
  }
}

/** Returns the input for recording a job. */
export function makeNewSwapJob(id: string, now: number, over: Partial<NewSwapJob> = {}): NewSwapJob {
  return {
    ...PLAIN,
    id,
    tenant: 'a',
    createdAt: now,
    content: { digest: 'd', reuseSince: null },
    leaseUntil: null,
    idempotency: null,
    ...over,
  }
}
