/**
 * The contract of the store of jobs. The versioned row is the truth; the bus and hooks only wake. Every change is a
 * compare-and-set: it names the state it was decided on. If the stored state is another by now, nothing is written and the
 * result is null: read again, decide again.
 *
 * A returned job is never changed. The same object therefore means the same state, and values derived from a job can be
 * cached with the object. Responses are cached on this and on `jobsVersion`.
 */
import type { Decision } from '../domain/transitions.ts'
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
  /** The lease under which it is submitted at once where there is room for it; null where it must wait in any case. */
  readonly leaseUntil: number | null
  readonly idempotency: Idempotency | null
}

/** An event to be told to the caller's own hook. */
export interface NewWebhook {
  readonly id: string
  readonly url: string
  readonly body: string
}

/** A digest of the two images as they were asked for. */
export interface Content {
  readonly digest: string
  /** A job of the tenant's with the same images, made since then, is given back instead; null: never. */
  readonly reuseSince: number | null
}

/** How much room there is, over all processes. */
export interface Room {
  /** Jobs that are being submitted or that the upstream works on. */
  readonly maxInFlight: number
  /** Jobs that wait to be submitted. */
  readonly maxWaiting: number
}

/** The step in which the usage of tenants is summed: a sum begins at a multiple of it. */
export const USAGE_STEP_MS = 15 * 60 * 1_000

/** What one tenant may do in a day, and at one time. */
export interface TenantLimits {
  /** Since when it is counted, epoch milliseconds; a multiple of `USAGE_STEP_MS`. */
  readonly since: number
  /** Units that may be spent, and those that a swap is reckoned at until its charge is known; null: any. */
  readonly quota: { readonly limit: number; readonly reserve: number } | null
  /** Jobs that are not finished; null: any. */
  readonly maxUnfinished: number | null
  /** Jobs that wait to be submitted; null: as many as there is room for. */
  readonly maxWaiting: number | null
  readonly contentRefusals: ContentRefusals
}

/** Swaps that the upstream refused on grounds of content: so many, and nothing more is sent. */
export interface ContentRefusals {
  readonly since: number
  readonly maxPerTenant: number
  readonly maxOverall: number
}

/** One caller's key, and a digest of the input it came with. */
export interface Idempotency {
  readonly key: string
  readonly fingerprint: string
  /** What the key may have become when its job was forgotten. */
  readonly sealedKeys: readonly string[]
}

/** Replaces what a caller chose by keyed hashes that still recognise it. */
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
  /** The tenant has used the key before: the job it made, as it is now, and the digest it was made with. */
  | { readonly kind: 'existing'; readonly job: SwapJob; readonly fingerprint: string }
  /** The tenant has had the same images swapped already: that job. */
  | { readonly kind: 'sameContent'; readonly job: SwapJob }
  /** Too many jobs wait; nothing was recorded. */
  | { readonly kind: 'full' }
  /** The tenant has too many unfinished ones; nothing was recorded. */
  | { readonly kind: 'tenantFull' }
  /** The tenant's units would not do for another; nothing was recorded. */
  | { readonly kind: 'quotaSpent'; readonly remaining: number }
  /** Too much was refused on grounds of content; nothing was recorded. */
  | { readonly kind: 'contentRefused' }

/**
 * The answer to a COMMIT was lost, and could not be found out afterwards: the changes may have been made, or may not.
 * Never to be taken for a failure that undid them.
 */
export class CommitUnknownError extends Error {
  override readonly name = 'CommitUnknownError'
  /** Asks on until the database tells whether the changes were made; null if it never does, or `stopping` aborts. Never rejects. */
  readonly findOut: (stopping: AbortSignal) => Promise<boolean | null>

  constructor(cause: unknown, findOut: CommitUnknownError['findOut']) {
    super('it is not known whether the change was committed', { cause })
    this.findOut = findOut
  }
}

/** The upstream id that a change would write belongs to another job: the upstream gave one id twice. */
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
  /** Only jobs that are not finished. */
  readonly unfinished: boolean
}

/** A place in a list of jobs: what was made last comes first. */
export interface ListCursor {
  readonly createdAt: number
  readonly id: string
}

export interface ListRange {
  /** Those after this place in the list, or before it; null: from the beginning, or from the end. */
  readonly from: ListCursor | null
  readonly direction: 'forward' | 'backward'
  readonly limit: number
}

/** What has become of a tenant's jobs since then. */
export interface UsageSums {
  readonly counts: readonly { readonly status: SwapJobStatus; readonly count: number }[]
  readonly spent: number
  /** Units reckoned for jobs whose charge is not, or never, known. */
  readonly uncertain: number
}

/** How jobs went of late, of all tenants. */
export interface RecentJobs {
  /** From the submit to the end, in milliseconds, of those that ended in SUCCESS. */
  readonly durationsMs: readonly number[]
  /** Those whose end a hook has told, among all that the upstream has ended. */
  readonly endedByHook: number
  readonly ended: number
}

/** A job as it is, and the place of its last change. */
export interface ChangedJob {
  readonly sequence: number
  readonly job: SwapJob
}

/** A job, and the place of its last change. */
export interface JobChange {
  readonly sequence: number
  readonly id: string
  readonly tenant: string
}

export interface JobStore {
  /**
   * Records the job, its first timeline entry and its key in one durable transaction: on disk when it resolves.
   * Claimed for its first submit where there is room and nobody waits; waiting otherwise. A key is kept until a day
   * after its job was done. What the tenant has spent and has under way is counted in the same transaction: of many who
   * ask at once no more are let in than the limits hold.
   */
  createJob(job: NewSwapJob, room: Room, limits: TenantLimits): Promise<CreatedJob>
  findJob(id: string): Promise<SwapJob | null>
  /**
   * The tenant's own jobs by gateway id or upstream id, in the order asked for; null for an unknown one, and for
   * another tenant's.
   */
  findOwnJobs(tenant: string, ids: readonly string[]): Promise<(SwapJob | null)[]>
  /**
   * The version of a tenant's jobs, for comparison only: while it is the same, none of them has changed and none was added.
   * It may change without a reason. Null if the store cannot tell without a query; then it need not return the same object
   * for an unchanged job. A store with versions does, as long as it caches the job.
   */
  jobsVersion(tenant: string): string | null
  /** Jobs of any tenant, in the order asked for; null for an unknown one. */
  findJobs(ids: readonly string[]): Promise<(SwapJob | null)[]>
  findByUpstreamId(upstreamId: string): Promise<SwapJob | null>
  /** Every state each job went through, oldest first, in the order asked for. */
  listTimelines(ids: readonly string[]): Promise<TimelineEntry[][]>

  /**
   * Carries a transition or a note out on exactly the state of `job`: same version, same fencing number, and still (or
   * still not) claimed. A webhook is recorded in the same transaction. Resolves to null if the job is in another state.
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
   * The job to submit next: of the tenants with a job that may be submitted now, that of the tenant with the fewest jobs
   * in flight, and among these the oldest. A tenant that is refused too often waits.
   */
  findNextWaiting(now: number, refusals: ContentRefusals): Promise<SwapJob | null>
  /**
   * Leases a waiting job to one submitter; null when there is no room, or somebody else was faster. Durable when it
   * resolves.
   */
  claimSubmit(job: SwapJob, claim: SubmitClaim): Promise<SwapJob | null>
  /** Takes the unfinished jobs whose time to be looked at has come, and puts their next time to `until`. */
  claimDue(now: number, until: number, limit: number): Promise<SwapJob[]>

  /**
   * The place of the tenant's last change; 0 where there is none. Each change of status has a place of its own, and
   * one that can be seen is never followed by the sudden sight of an earlier one.
   */
  findLastChange(tenant: string): Promise<number>
  /**
   * The tenant's jobs by the place of their last change, after `after` and up to `upTo`, earliest first: each job
   * once, as it is now.
   */
  listChanges(tenant: string, range: ChangeRange): Promise<ChangedJob[]>

  /** Which jobs of all tenants changed at a place after `after`, the latest first. */
  listLatestChanges(after: number, limit: number): Promise<JobChange[]>

  /** The tenant's jobs that fit, in the order of the list, whatever the direction they were looked for in. */
  listJobs(tenant: string, filter: JobFilter, range: ListRange): Promise<readonly SwapJob[]>
  /** How many fit, counted no further than `limit`. */
  countJobs(tenant: string, filter: JobFilter, limit: number): Promise<number>
  /**
   * @param since epoch milliseconds, a multiple of `USAGE_STEP_MS`.
   * @param reserve what a swap is reckoned at until its charge is known.
   */
  sumUsage(tenant: string, since: number, reserve: number): Promise<UsageSums>
  countUnfinished(tenant: string): Promise<number>
  /** How many wait to be submitted, counted no further than `limit`. */
  countWaiting(limit: number): Promise<number>
  /**
   * The first `limit` ids of the waiting jobs, in the order in which they would be submitted if no job in flight ended
   * and no further one came.
   */
  listWaitingIds(limit: number): Promise<readonly string[]>
  listRecent(since: number, limit: number): Promise<RecentJobs>

  /** Jobs that ended in SUCCESS between the two times and have neither a copy nor a reason why not. */
  listWithoutCopy(finishedFrom: number, finishedBefore: number, limit: number): Promise<readonly SwapJob[]>
  /** What became of a copy: its id, or why there is none. Once, true then; changes no version. */
  recordMirror(jobId: string, outcome: { readonly copyId: string } | { readonly failure: string }): Promise<boolean>
  /** Finished jobs whose time is over, and that are not forgotten yet. */
  listToForget(now: number, limit: number): Promise<readonly SwapJob[]>
  /**
   * Erases addresses, links, the caller's own words and what was made of them. The accounts stay, and so does the job's
   * idempotency key, sealed. A webhook that was not delivered ends as EXHAUSTED. Null for a job that is not finished, or
   * was forgotten before.
   */
  forgetJob(jobId: string, at: number, seal: KeySeal): Promise<ForgottenJob | null>

  /** Throws when the store cannot be read. */
  ping(): Promise<void>
}
