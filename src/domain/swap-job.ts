/**
 * The core types of the domain: a swap job, its statuses, and its outcome.
 *
 * A swap job is the gateway's durable record of one requested swap. It exists before the upstream knows of it, and its
 * id never changes. Its `version` grows by one with each transition, so of two states the one with the higher version
 * is newer. Times are epoch milliseconds.
 */

import type { TraceContext } from './trace-context.ts'

/** Every status of a job. ON_QUEUE, SUCCESS and FAILED are the upstream's own words. */
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

/** The statuses that a job never leaves. */
export const FINAL_STATUSES = ['SUCCESS', 'FAILED', 'CANCELED', 'LOST'] as const satisfies readonly SwapJobStatus[]
const finalStatuses: ReadonlySet<SwapJobStatus> = new Set(FINAL_STATUSES)

/** How the gateway learned of a state. */
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

/** Why a job has no result. `message` is human-readable and safe to show to the caller. */
export interface SwapFailure {
  readonly code: SwapFailureCode
  readonly message: string
  readonly retryable: boolean
}

/** What a queued job waits for. */
export const SWAP_WAIT_REASONS = ['SLOT', 'UPSTREAM_BUSY', 'UPSTREAM_DOWN'] as const
export type SwapWaitReason = (typeof SWAP_WAIT_REASONS)[number]

/** Why a submit was not accepted, although it may be accepted later. */
export interface SwapRefusal {
  readonly reason: Exclude<SwapWaitReason, 'SLOT'>
  /** The gateway's own words, with the HTTP status if there was a response; safe to show to the caller. */
  readonly message: string
}

/** The upstream's links, byte for byte; at least one is set. */
export interface SwapLinks {
  readonly cdnImage: string | null
  readonly discordImage: string | null
}

export const SWAP_CHARGE_STATES = ['NOT_CHARGED', 'PENDING', 'CHARGED', 'UNKNOWN'] as const
export type SwapChargeState = (typeof SWAP_CHARGE_STATES)[number]

/** What the job cost, in the upstream's units; `quota` is null unless it is known. */
export interface SwapCharge {
  readonly state: SwapChargeState
  readonly quota: number | null
}

/** The source of an image that was not given as an address; at most one is set. */
export interface ImageOrigin {
  readonly uploadId: string | null
  /** The job whose result it is. */
  readonly resultOf: string | null
}

/** The body of the caller's webhook: an event (Standard Webhooks), or the document that a fetch returns (REST API). */
export const HOOK_FORMATS = ['EVENT', 'DOCUMENT'] as const
export type HookFormat = (typeof HOOK_FORMATS)[number]

/** One requested swap: the caller's view of it, and the gateway's bookkeeping. */
export interface SwapJob {
  readonly id: string
  readonly tenant: string
  readonly status: SwapJobStatus
  readonly version: number
  /** The upstream's id; null until the response to the submit, or a hook that a fetch confirmed, has it. */
  readonly upstreamId: string | null
  /** The upstream's last status word, unchanged. */
  readonly upstreamStatus: string | null
  /**
   * As sent to the upstream, byte for byte: the caller's address, or one that the gateway signed. Empty once forgotten.
   */
  readonly targetImageUrl: string
  readonly swapImageUrl: string
  readonly targetOrigin: ImageOrigin
  readonly swapOrigin: ImageOrigin
  readonly links: SwapLinks | null
  readonly failure: SwapFailure | null
  /**
   * The upstream's own words about the failure, sanitised. For viewers with `swap:admin` only, because they may quote
   * the input. Null if there are none, and once forgotten.
   */
  readonly upstreamMessage: string | null
  readonly charge: SwapCharge
  readonly clientReference: string | null
  readonly tags: readonly string[]
  readonly createdAt: number
  readonly updatedAt: number
  /** URL of the owner's webhook; null if there is none. */
  readonly hookUrl: string | null
  readonly hookFormat: HookFormat
  /** The job that this one retries. */
  readonly retryOf: string | null
  /** When the upstream was first known to have the job. */
  readonly submittedAt: number | null
  readonly finishedAt: number | null
  /** The stored copy of the result; null if there is none. */
  readonly copyId: string | null
  /** Human-readable reason why there will be no copy. */
  readonly mirrorFailure: string | null
  readonly keepDays: number
  /** When its images and links are erased; null if it is not done. */
  readonly purgeAt: number | null
  readonly forgottenAt: number | null

  /** The hook address sent to the upstream for this job, byte for byte; null before the first submit. */
  readonly hookAddress: string | null
  /** Counts the claims of this job for a submit. A report made under an older number is void. */
  readonly fencing: number
  /** When the lease of claim `fencing` expires; null if no process is submitting the job. */
  readonly leaseUntil: number | null
  /** The earliest time of the next submit, if the job waits. */
  readonly notBefore: number
  /** Why the last submit was refused, if the job waits to be submitted again (`SwapRefusal`). */
  readonly refusalReason: SwapRefusal['reason'] | null
  readonly refusalMessage: string | null
  /** Scheduled fetches since the upstream has had the job. */
  readonly fetches: number
  /** When the reconciler checks the job next; null if it is done. */
  readonly wakeAt: number | null
  /** When the gateway stops waiting for an outcome; null if nothing was sent. */
  readonly deadlineAt: number | null
  /** When a fetch returned a FAILED that no second fetch has confirmed yet. */
  readonly failedSeenAt: number | null
  /** Of the request that created the job; null if there was none, or traces were off. */
  readonly traceContext: TraceContext | null
}

/** One state that a job was in. */
export interface TimelineEntry {
  readonly version: number
  readonly status: SwapJobStatus
  readonly at: number
  readonly source: ObservationSource
}

/** Whether `status` is final. */
export function isDone(status: SwapJobStatus): boolean {
  return finalStatuses.has(status)
}

/** Whether the job can no longer change: it is done, and its charge is known. */
export function isSettled({ status, charge }: Pick<SwapJob, 'status' | 'charge'>): boolean {
  return isDone(status) && charge.state !== 'UNKNOWN'
}
