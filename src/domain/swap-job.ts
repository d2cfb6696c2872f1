/**
 * The words of the domain: a swap job, the states it can be in, and what is known of its outcome.
 *
 * A swap job is the gateway's durable record of one requested swap. It exists before the upstream knows of it, keeps
 * its id whatever happens there, and its `version` grows by one with each visible change, so that of two states the
 * higher version is always the newer. Times are epoch milliseconds.
 */

/** Every state a job can be in. ON_QUEUE, SUCCESS and FAILED are the upstream's own words. */
export const SWAP_JOB_STATUSES = [
  'PENDING',
  'UNCONFIRMED',
  'ON_QUEUE',
  'SUCCESS',
  'FAILED',
  'CANCELED',
  'LOST',
] as const
export type SwapJobStatus = (typeof SWAP_JOB_STATUSES)[number]

/** The states that are never left. */
export const FINAL_STATUSES = ['SUCCESS', 'FAILED', 'CANCELED', 'LOST'] as const satisfies readonly SwapJobStatus[]
const finalStatuses: ReadonlySet<SwapJobStatus> = new Set(FINAL_STATUSES)

/** How the gateway came to know of a state. */
export const OBSERVATION_SOURCES = ['CALLER', 'SUBMIT', 'HOOK', 'FETCH', 'RECONCILER'] as const
export type ObservationSource = (typeof OBSERVATION_SOURCES)[number]

export const SWAP_FAILURE_CODES = [
  'FACE_NOT_FOUND',
  'IMAGE_NOT_READABLE',
  'IMAGE_ADDRESS_NOT_ALLOWED',
  'IMAGE_HOST_NOT_FOUND',
  'IMAGE_CONNECTION_REFUSED',
  'IMAGE_CONNECTION_FAILED',
  'IMAGE_TLS_FAILED',
  'IMAGE_TIMED_OUT',
  'IMAGE_NOT_FOUND',
  'IMAGE_ACCESS_DENIED',
  'IMAGE_HOST_FAILED',
  'IMAGE_TOO_MANY_REDIRECTS',
  'IMAGE_TOO_LARGE',
  'IMAGE_TYPE_NOT_ALLOWED',
  'CONTENT_REFUSED',
  'UPSTREAM_QUOTA_EXHAUSTED',
  'UPSTREAM_REFUSED',
  'UPSTREAM_FAILED',
  'NOT_SUBMITTED',
  'CANCELED',
  'NO_OUTCOME',
  'OTHER',
] as const
export type SwapFailureCode = (typeof SWAP_FAILURE_CODES)[number]

/** Why there is no outcome. `message` is for people and is safe to show to the caller. */
export interface SwapFailure {
  readonly code: SwapFailureCode
  readonly message: string
  readonly retryable: boolean
}

/** The upstream's links, byte for byte as they came; at least one is set. */
export interface SwapLinks {
  readonly cdnImage: string | null
  readonly discordImage: string | null
}

export const SWAP_CHARGE_STATES = ['NOT_CHARGED', 'PENDING', 'CHARGED', 'UNKNOWN'] as const
export type SwapChargeState = (typeof SWAP_CHARGE_STATES)[number]

/** What the job cost, in the upstream's units; `quota` is null while not known. */
export interface SwapCharge {
  readonly state: SwapChargeState
  readonly quota: number | null
}

/** Where an image of a job came from, when it was not given as an address: at most one is set. */
export interface ImageOrigin {
  readonly uploadId: string | null
  /** The job whose result it is. */
  readonly resultOf: string | null
}

/** What the owner's hook is sent: an event (Standard Webhooks), or the document that a fetch returns (REST API). */
export const HOOK_FORMATS = ['EVENT', 'DOCUMENT'] as const
export type HookFormat = (typeof HOOK_FORMATS)[number]

/** One requested swap: what the caller sees of it, and what the gateway needs to bring it to its end. */
export interface SwapJob {
  readonly id: string
  readonly tenant: string
  readonly status: SwapJobStatus
  readonly version: number
  /** The upstream's id; null until an answer, or a hook that a fetch has confirmed, brought it. */
  readonly upstreamId: string | null
  /** The word the upstream last used, as it came. */
  readonly upstreamStatus: string | null
  /** As the upstream is given it, byte for byte: the caller's own, or a signed one of ours. Empty once forgotten. */
  readonly targetImageUrl: string
  readonly swapImageUrl: string
  readonly targetOrigin: ImageOrigin
  readonly swapOrigin: ImageOrigin
  readonly links: SwapLinks | null
  readonly failure: SwapFailure | null
  readonly charge: SwapCharge
  readonly clientReference: string | null
  readonly tags: readonly string[]
  readonly createdAt: number
  readonly updatedAt: number
  /** Where its owner wants to be told of its end; null where nowhere. */
  readonly hookUrl: string | null
  readonly hookFormat: HookFormat
  /** The job that this one repeats. */
  readonly retryOf: string | null
  /** When the upstream was known to have the job. */
  readonly submittedAt: number | null
  readonly finishedAt: number | null
  /** The copy of the result that is kept here; null while there is none. */
  readonly copyId: string | null
  /** Why there will be none, for people. */
  readonly mirrorFailure: string | null
  readonly keepDays: number
  /** When its images and links are erased; null while it is not done. */
  readonly purgeAt: number | null
  readonly forgottenAt: number | null

  /** The address the upstream was given for this job's hook, byte for byte; null before the first submit. */
  readonly hookAddress: string | null
  /** Counts the claims of this job for a submit. A report made under an older number is void. */
  readonly fencing: number
  /** Until when the submitter that holds `fencing` may be at work; null when nobody submits. */
  readonly leaseUntil: number | null
  /** While it waits: not to be submitted before this time. */
  readonly notBefore: number
  /** Scheduled fetches since the upstream has the job. */
  readonly fetches: number
  /** When the reconciler looks at the job next; null when it is done. */
  readonly wakeAt: number | null
  /** When the gateway stops waiting for an outcome; null while nothing was sent. */
  readonly deadlineAt: number | null
  /** When a fetch said FAILED that no second fetch has confirmed yet. */
  readonly failedSeenAt: number | null
}

/** One state a job went through. */
export interface TimelineEntry {
  readonly version: number
  readonly status: SwapJobStatus
  readonly at: number
  readonly source: ObservationSource
}

/** Whether `status` is final: never left. */
export function isDone(status: SwapJobStatus): boolean {
  return finalStatuses.has(status)
}

/** Whether nothing more can become known of it: the job is done, and its charge is known. */
export function isSettled({ status, charge }: Pick<SwapJob, 'status' | 'charge'>): boolean {
  return isDone(status) && charge.state !== 'UNKNOWN'
}
