/**
 * The contract of the store of jobs. The versioned row is the truth; the bus and hooks only wake. Every change is a
 * compare-and-set: it names the state it was decided on. If the stored state has changed, nothing is written and the
 * result is null: read and decide again.
 *
 * A returned job is never changed. The same object therefore means the same state, and values derived from a job can be
 * cached with the object. Responses are cached on this and on `jobsVersion`.
 */
import type { Decision } from '../domain/transitions.ts'
import type { TraceContext } from '../domain/trace-context.ts'
import type { JobFilter } from '../domain/job-filter.ts'
import type {
  HookFormat,
  ImageOrigin,
  ObservationSource,
  SwapJob,
  SwapJobStatus,
  TimelineEntry,
} from '../domain/swap-job.ts'

/** A job to be recorded. */
export interface NewSwapJob {
  readonly id: string
  readonly tenant: string
  readonly targetImageUrl: string
  readonly swapImageUrl: string
  readonly targetOrigin: ImageOrigin
  readonly swapOrigin: ImageOrigin
  readonly keepDays: number
  readonly retryOf: string | null
  readonly hookUrl: string | null
  readonly hookFormat: HookFormat
  readonly content: Content
  readonly clientReference: string | null
  readonly tags: readonly string[]
  readonly createdAt: number
  readonly hookAddress: string
  /** The lease of an immediate first submit, if there is room upstream; null if the job must wait in any case. */
  readonly leaseUntil: number | null
  readonly idempotency: Idempotency | null
  /** Of the request that created the job; null if there is none, or traces are off. */
  readonly traceContext: TraceContext | null
}

/** An event to deliver to the caller's webhook. */
export interface NewWebhook {
  readonly id: string
  readonly url: string
  readonly body: string
}

/** Identifies the requested images, to find an earlier job with the same ones. */
export interface Content {
  readonly digest: string
  /** The tenant's latest usable job with the same images, created since then, is returned instead; null: never. */
  readonly reuseSince: number | null
}

/** The limits of the queue, for all processes together. */
export interface Room {
  /** Jobs being submitted or in progress upstream. */
  readonly maxInFlight: number
  /** Jobs waiting to be submitted. */
  readonly maxWaiting: number
}

/** The interval of the usage sums; each starts at a multiple of it. */
export const USAGE_STEP_MS = 15 * 60 * 1_000

/** A tenant's daily and concurrent limits. */
export interface TenantLimits {
  /** Start of the counted period, epoch milliseconds; a multiple of `USAGE_STEP_MS`. */
  readonly since: number
  /** Units that may be spent, and the units reserved for a swap until its charge is known; null: no limit. */
  readonly quota: { readonly limit: number; readonly reserve: number } | null
  /** Unfinished jobs; null: no limit. */
  readonly maxUnfinished: number | null
  /** Jobs waiting to be submitted; null: only the limits of the queue apply. */
  readonly maxWaiting: number | null
  readonly contentRefusals: ContentRefusals
}

/** Limits of swaps refused because of their content since a time. At a limit no job is recorded or submitted. */
export interface ContentRefusals {
  readonly since: number
  readonly maxPerTenant: number
  readonly maxOverall: number
}

/** A caller's idempotency key, and a digest of the request's input. */
export interface Idempotency {
  readonly key: string
  readonly fingerprint: string
  /** The sealed forms under which the key may be stored after its job was forgotten. */
  readonly sealedKeys: readonly string[]
}

/** Replaces a caller's key and fingerprint by keyed hashes that still match a repeated request. */
export interface KeySeal {
  sealKey(tenant: string, key: string): string
  sealFingerprint(fingerprint: string, hookUrl: string | null): string
}

/** A job that was forgotten, before and after. */
export interface ForgottenJob {
  readonly before: SwapJob
  readonly after: SwapJob
}

export type CreatedJob =
  | { readonly kind: 'created'; readonly job: SwapJob }
  /** The tenant has used the key before. `job` is in its current state; `fingerprint` is the first request's. */
  | { readonly kind: 'existing'; readonly job: SwapJob; readonly fingerprint: string }
  /** The tenant already has a usable job with the same images. */
  | { readonly kind: 'sameContent'; readonly job: SwapJob }
  /** Too many jobs wait; nothing was recorded. */
  | { readonly kind: 'full' }
  /** The tenant has too many unfinished or waiting jobs; nothing was recorded. */
  | { readonly kind: 'tenantFull' }
  /** The tenant's remaining units do not cover another swap; nothing was recorded. */
  | { readonly kind: 'quotaSpent'; readonly remaining: number }
  /** Too many swaps were refused because of their content; nothing was recorded. */
  | { readonly kind: 'contentRefused' }

/**
 * The outcome of a COMMIT is unknown: the changes may or may not be stored. Callers must not treat this as a rollback.
 */
export class CommitUnknownError extends Error {
  override readonly name = 'CommitUnknownError'
  /** Polls the database for the outcome; null if it cannot be determined, or `stopping` aborts. Never rejects. */
  readonly findOut: (stopping: AbortSignal) => Promise<boolean | null>

  constructor(cause: unknown, findOut: CommitUnknownError['findOut']) {
    super('it is not known whether the change was committed', { cause })
    this.findOut = findOut
  }
}

/** Another job has the upstream id to be written: the upstream assigned one id twice. */
export class UpstreamIdTakenError extends Error {
  constructor() {
    super('another job has this upstream id')
    this.name = 'UpstreamIdTakenError'
  }
}

export interface SubmitClaim {
  readonly hookAddress: string
  readonly leaseUntil: number
  readonly maxInFlight: number
}

export interface ChangeRange {
  readonly after: number
  readonly upTo: number
  readonly limit: number
  /** Only unfinished jobs. */
  readonly unfinished: boolean
}

/** A position in a list of jobs, newest first. */
export interface ListCursor {
  readonly createdAt: number
  readonly id: string
}

export interface ListRange {
  /** Jobs after this position if `forward`, before it if `backward`; null: from the beginning, or from the end. */
  readonly from: ListCursor | null
  readonly direction: 'forward' | 'backward'
  readonly limit: number
}

/** A tenant's jobs and units since a time. */
export interface UsageSums {
  readonly counts: readonly { readonly status: SwapJobStatus; readonly count: number }[]
  readonly spent: number
  /** Units reserved for jobs whose charge is unknown, temporarily or permanently. */
  readonly uncertain: number
}

/** Recently finished jobs of all tenants. */
export interface RecentJobs {
  /** Milliseconds from submit to end, of the jobs that ended in SUCCESS. */
  readonly durationsMs: readonly number[]
  /** Jobs whose end a hook reported, out of `ended`: all submitted jobs that finished. */
  readonly endedByHook: number
  readonly ended: number
}

/** Figures about the jobs of all tenants. */
export interface JobFigures {
  /** The unfinished jobs, and the finished ones that were created since a time. */
  readonly counts: readonly { readonly status: SwapJobStatus; readonly count: number }[]
  /** Jobs waiting to be submitted, and those of the tenant that has the most. */
  readonly waiting: number
  readonly waitingOfLargestTenant: number
  /** Creation time of the oldest unfinished job; null if there is none. */
  readonly oldestUnfinishedAt: number | null
}

/** A job in its current state, and the sequence of its last change. */
export interface ChangedJob {
  readonly sequence: number
  readonly job: SwapJob
}

/** A job's id, and the sequence of its last change. */
export interface JobChange {
  readonly sequence: number
  readonly id: string
  readonly tenant: string
}

export interface JobStore {
  /**
   * Records the job, its first timeline entry and its key in one transaction; durable when it resolves. The job is
   * claimed for its first submit if there is room and no waiting job is due; otherwise it waits. A key expires a day
   * after its job is done. The limits are checked in the same transaction, so concurrent calls cannot exceed them.
   */
  createJob(job: NewSwapJob, room: Room, limits: TenantLimits): Promise<CreatedJob>
  findJob(id: string): Promise<SwapJob | null>
  /**
   * The tenant's jobs by gateway id or upstream id, in the order of `ids`; null for an unknown id or another tenant's
   * job.
   */
  findOwnJobs(tenant: string, ids: readonly string[]): Promise<(SwapJob | null)[]>
  /**
   * The version of a tenant's jobs, for comparison only: while it is the same, no job has changed and none was added. The
   * version may change although no job has. Null if determining it needs a query; such a store may return another object
   * for an unchanged job. A store with versions returns the same object as long as it caches the job.
   */
  jobsVersion(tenant: string): string | null
  /** Jobs of any tenant, in the order of `ids`; null for an unknown id. */
  findJobs(ids: readonly string[]): Promise<(SwapJob | null)[]>
  findByUpstreamId(upstreamId: string): Promise<SwapJob | null>
  /** The timeline of each job, oldest entry first, in the order of `ids`. */
  listTimelines(ids: readonly string[]): Promise<TimelineEntry[][]>

  /**
   * Writes a transition or bookkeeping if the stored job still has the version and fencing number of `job`, and is
   * still (or still not) claimed. Records a webhook in the same transaction. Null if the job has changed.
   * @throws {UpstreamIdTakenError} and writes nothing.
   */
  applyDecision(
    job: SwapJob,
    decision: Exclude<Decision, { kind: 'none' }>,
    at: number,
    source: ObservationSource,
    webhook?: NewWebhook | null,
  ): Promise<SwapJob | null>
  /**
   * The job to submit next. Each tenant's oldest due job is a candidate; the tenant with the fewest jobs in flight goes
   * first, then the oldest job. A tenant at its limit of content refusals is skipped. Null if no job may be submitted.
   */
  findNextWaiting(now: number, refusals: ContentRefusals): Promise<SwapJob | null>
  /**
   * Leases a waiting job to one submitter; null if there is no room, or the job has changed. Durable when it resolves.
   */
  claimSubmit(job: SwapJob, claim: SubmitClaim): Promise<SwapJob | null>
  /** Claims the unfinished jobs that are due (`wakeAt`), and makes them due again at `until`. */
  claimDue(now: number, until: number, limit: number): Promise<SwapJob[]>

  /**
   * The sequence of the tenant's last change; 0 if it has no jobs. Each transition has its own sequence. A tenant's
   * changes become visible in this order.
   */
  findLastChange(tenant: string): Promise<number>
  /**
   * The tenant's jobs whose last change is after `after` and up to `upTo`, in sequence order: each job once, in its
   * current state.
   */
  listChanges(tenant: string, range: ChangeRange): Promise<ChangedJob[]>

  /** Jobs of all tenants whose last change is after `after`, the latest first. */
  listLatestChanges(after: number, limit: number): Promise<JobChange[]>

  /** The tenant's matching jobs, newest first in either direction. */
  listJobs(tenant: string, filter: JobFilter, range: ListRange): Promise<readonly SwapJob[]>
  /** How many jobs match, counted up to `limit`. */
  countJobs(tenant: string, filter: JobFilter, limit: number): Promise<number>
  /**
   * @param since epoch milliseconds, a multiple of `USAGE_STEP_MS`.
   * @param reserve units assumed for a swap until its charge is known.
   */
  sumUsage(tenant: string, since: number, reserve: number): Promise<UsageSums>
  countUnfinished(tenant: string): Promise<number>
  /** How many jobs wait to be submitted, counted up to `limit`. */
  countWaiting(limit: number): Promise<number>
  /**
   * The first `limit` ids of the waiting jobs in submit order, assuming that no job in flight ends and none is added.
   */
  listWaitingIds(limit: number): Promise<readonly string[]>
  listRecent(since: number, limit: number): Promise<RecentJobs>
  /** @param since of the finished jobs: epoch milliseconds, a multiple of `USAGE_STEP_MS`. */
  readFigures(since: number): Promise<JobFigures>
  /** The units charged for the latest finished jobs of all tenants, out of `limit` jobs. */
  listRecentCharges(limit: number): Promise<readonly number[]>

  /** Jobs that ended in SUCCESS between the two times and have neither a copy nor a recorded copy failure. */
  listWithoutCopy(finishedFrom: number, finishedBefore: number, limit: number): Promise<readonly SwapJob[]>
  /** Records the copy's id, or why there is none; the version stays. False if the job has a copy or was forgotten. */
  recordMirror(jobId: string, outcome: { readonly copyId: string } | { readonly failure: string }): Promise<boolean>
  /** Finished jobs whose retention has expired (`purgeAt`) and that are not forgotten yet. */
  listToForget(now: number, limit: number): Promise<readonly SwapJob[]>
  /**
   * Erases addresses, links and the caller's own texts, and seals the idempotency key; the record stays. An undelivered
   * webhook ends as EXHAUSTED. Null if the job is not finished, or was already forgotten.
   */
  forgetJob(jobId: string, at: number, seal: KeySeal): Promise<ForgottenJob | null>

  /** Throws if the store cannot be read. */
  ping(): Promise<void>
}
