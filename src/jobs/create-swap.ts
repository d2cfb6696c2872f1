import { hash } from 'node:crypto'
import { requireScope, type Viewer } from '../auth/viewer.ts'
import type { EventBus } from '../bus/event-bus.ts'
import { GatewayError } from '../domain/errors.ts'
import type { SwapJob } from '../domain/swap-job.ts'
import type { AddressGuard } from '../lib/net/address-guard.ts'
import type { Clock } from '../lib/time/clock.ts'
import { faultPoint } from '../lib/fault-points.ts'
import { createId } from '../lib/crypto/ids.ts'
import { CommitUnknownError, type CreatedJob, type JobStore, type NewSwapJob, type Room } from '../store/job-store.ts'
import type { Telemetry } from '../telemetry/events.ts'
import type { TraceContexts } from '../telemetry/tracing.ts'
import {
  type CreateSwapInput,
  DEFAULT_KEEP_DAYS,
  parseCreateSwapInput,
  type SwapInputIssue,
} from './create-swap-input.ts'
import type { HookAddresses } from './lifecycle/hook-addresses.ts'
import type { IdempotencySeal } from './idempotency-seal.ts'
import { findHookIssue, type FindInputImage, type InputImage } from './input-images.ts'
import { SUBMIT_LEASE_MS } from './lifecycle/leases.ts'
import type { ReleaseUnsent } from './lifecycle/release-unsent.ts'
import type { Submitter } from './lifecycle/submit-swap.ts'
import { endOfDay, type TenantBudgetOptions, toTenantLimits } from './lifecycle/tenant-budget.ts'
import type { UpstreamBreaker } from './lifecycle/upstream-breaker.ts'
import type { Watcher } from './watch-job.ts'

export type CreateSwapOutcome =
  | { readonly kind: 'created'; readonly job: SwapJob; readonly reused: 'NONE' | 'SAME_KEY' | 'SAME_CONTENT' }
  /** The upstream refused the submit; the job is recorded as FAILED. */
  | { readonly kind: 'refused'; readonly job: SwapJob }
  | { readonly kind: 'invalid'; readonly issues: readonly SwapInputIssue[] }
  /** The key belongs to `job`, which was created with different input. */
  | { readonly kind: 'keyConflict'; readonly job: SwapJob }
  /** The queue is full, or the tenant has too many jobs; nothing was recorded or sent. */
  | { readonly kind: 'busy'; readonly maxInFlight: number }
  /** The tenant's daily units are used up, or too many swaps were refused for their content; nothing was recorded. */
  | {
      readonly kind: 'quotaExceeded'
      readonly remaining: number
      readonly isRefused: boolean
      readonly resetAt: number
    }

export interface CreateSwapParts {
  readonly store: Pick<JobStore, 'createJob'>
  readonly bus: Pick<EventBus, 'publish'>
  readonly submitter: Pick<Submitter, 'submit'>
  readonly releaseUnsent: ReleaseUnsent
  readonly watcher: Pick<Watcher, 'awaitDone'>
  readonly breaker: Pick<UpstreamBreaker, 'isTripped'>
  readonly room: Room
  readonly budget: TenantBudgetOptions
  readonly findInputImage: FindInputImage
  /** Checks the address of the caller's webhook. */
  readonly guard: Pick<AddressGuard, 'checkUrl'>
  readonly hookAddresses: Pick<HookAddresses, 'addressOf'>
  readonly seal: IdempotencySeal
  readonly telemetry: Pick<Telemetry, 'jobCreated' | 'jobNotRecorded'>
  readonly traceContexts: Pick<TraceContexts, 'current'>
  readonly clock: Clock
}

/** Where a new swap comes from. */
export interface SwapOrigin {
  /** Id of the request that creates it; for the log. */
  readonly requestId: string
  /** The job that it retries. */
  readonly retryOf?: string
}

/** `createSwap`, bound to its parts. */
export type CreateSwap = (viewer: Viewer, raw: unknown, origin: SwapOrigin) => Promise<CreateSwapOutcome>

/** With `reuseSameContent`, a job with the same images is reused if it was created at most this long ago. */
const SAME_CONTENT_MS = 60 * 60 * 1_000
/** The fencing number of the claim that a new job is recorded with. */
const FIRST_FENCING = 1

/**
 * Records a swap and submits it, at most once for one idempotency key of one tenant. The job, its key and its claim are
 * durable before the first byte is sent. The submit continues if the caller disconnects. If the upstream is at
 * capacity, the job waits.
 * @param raw the caller's input, not validated yet.
 * @throws {GatewayError} code UNAVAILABLE if the job cannot be recorded, FORBIDDEN if the viewer may not write; nothing
 * was sent.
 */
export async function createSwap(
  parts: CreateSwapParts,
  viewer: Viewer,
  raw: unknown,
  origin: SwapOrigin,
): Promise<CreateSwapOutcome> {
  requireScope(viewer, 'swap:write')
  const { requestId, retryOf = null } = origin
  const parsed = parseCreateSwapInput(raw)
  if (!parsed.ok) return { kind: 'invalid', issues: parsed.issues }
  const { input } = parsed
  const { findInputImage, guard, watcher, room, budget, seal } = parts
  const [target, swap] = await Promise.all([
    findInputImage(viewer, input.targetImage),
    findInputImage(viewer, input.swapImage),
  ])
  const hookIssue = input.hookUrl == null ? null : findHookIssue(guard, input.hookUrl)
  if ('code' in target || 'code' in swap || hookIssue) {
    return { kind: 'invalid', issues: [...toIssues(input, { target, swap }), ...(hookIssue ? [hookIssue] : [])] }
  }
  const newJob = toNewJob(parts, { tenant: viewer.tenant, input, target, swap, retryOf })
  const stored = await recordJob(parts, newJob, requestId)
  faultPoint('intent-committed')
  const waitMs = input.waitMs ?? 0
  switch (stored.kind) {
    case 'created':
      parts.telemetry.jobCreated(stored.job, requestId)
      return toOutcome(await submitAndWait(parts, stored.job, waitMs), 'NONE')
    case 'existing':
      if (!isSameSwap(stored, newJob, seal)) return { kind: 'keyConflict', job: stored.job }
      return toOutcome(await watcher.awaitDone(stored.job, waitMs), 'SAME_KEY')
    case 'sameContent':
      return { kind: 'created', job: await watcher.awaitDone(stored.job, waitMs), reused: 'SAME_CONTENT' }
    case 'full':
      return { kind: 'busy', maxInFlight: room.maxInFlight }
    case 'tenantFull':
      return { kind: 'busy', maxInFlight: budget.maxInFlight ?? room.maxInFlight }
    case 'quotaSpent':
      return { ...QUOTA_EXCEEDED, remaining: stored.remaining, resetAt: endOfDay(newJob.createdAt) }
    case 'contentRefused':
      return { ...QUOTA_EXCEEDED, isRefused: true, resetAt: endOfDay(newJob.createdAt) }
  }
}

const QUOTA_EXCEEDED = { kind: 'quotaExceeded', remaining: 0, isRefused: false } as const

interface CheckedInput {
  readonly tenant: string
  readonly input: CreateSwapInput
  readonly target: InputImage
  readonly swap: InputImage
  readonly retryOf: string | null
}

function toNewJob(
  { breaker, hookAddresses, seal, traceContexts, clock }: CreateSwapParts,
  { tenant, input, target, swap, retryOf }: CheckedInput,
): NewSwapJob {
  const createdAt = clock.now()
  const id = createId('job', createdAt)
  return {
    id,
    tenant,
    targetImageUrl: target.url,
    swapImageUrl: swap.url,
    targetOrigin: target.origin,
    swapOrigin: swap.origin,
    keepDays: input.keepDays ?? DEFAULT_KEEP_DAYS,
    retryOf,
    hookUrl: input.hookUrl ?? null,
    hookFormat: input.hookFormat ?? 'EVENT',
    content: {
      digest: digestOf(toContent(input)),
      reuseSince: input.reuseSameContent === true ? createdAt - SAME_CONTENT_MS : null,
    },
    clientReference: input.clientReference ?? null,
    tags: input.tags ?? [],
    createdAt,
    hookAddress: hookAddresses.addressOf(id),
    leaseUntil: breaker.isTripped() ? null : createdAt + SUBMIT_LEASE_MS,
    idempotency: toIdempotency(tenant, input, seal),
    traceContext: traceContexts.current(),
  }
}

/** Records the job. If the outcome of the commit is unknown, releases the claim in the background. */
async function recordJob(parts: CreateSwapParts, newJob: NewSwapJob, requestId: string): Promise<CreatedJob> {
  const { store, room, budget, telemetry, releaseUnsent } = parts
  try {
    return await store.createJob(newJob, room, toTenantLimits(budget, newJob.createdAt))
  } catch (error) {
    telemetry.jobNotRecorded(error, requestId)
    if (error instanceof CommitUnknownError) {
      const { id: jobId, leaseUntil, idempotency } = newJob
      releaseUnsent({ jobId, fencing: FIRST_FENCING, leaseUntil, mayWait: idempotency !== null }, error)
    }
    throw new GatewayError('UNAVAILABLE', 'The swap could not be recorded. Nothing was submitted. Try again later.')
  }
}

/** Submits a job that was recorded as claimed; any other job is left to the queue. */
async function submitAndWait(
  { bus, submitter, watcher }: CreateSwapParts,
  job: SwapJob,
  waitMs: number,
): Promise<SwapJob> {
  bus.publish(job)
  // The background task reports a failed submit. The caller still gets the job, which may have been sent.
  const submitted = job.leaseUntil === null ? job : await submitter.submit(job).catch(() => job)
  return watcher.awaitDone(submitted, waitMs)
}

function toOutcome(job: SwapJob, reused: 'NONE' | 'SAME_KEY'): CreateSwapOutcome {
  return wasRefused(job) ? { kind: 'refused', job } : { kind: 'created', job, reused }
}

/** Derived from the job alone, so that a repeated call gets the same outcome as the first. */
function wasRefused(job: SwapJob): boolean {
  return job.status === 'FAILED' && job.submittedAt === null && job.failure?.code !== 'NOT_SUBMITTED'
}

/** The issues of both images, each with its path in the input. */
function toIssues(
  input: CreateSwapInput,
  images: Readonly<Record<'target' | 'swap', Awaited<ReturnType<FindInputImage>>>>,
) {
  return (['target', 'swap'] as const).flatMap((name): SwapInputIssue[] => {
    const found = images[name]
    const [member = ''] = Object.entries(input[`${name}Image`]).flatMap(([key, value]) => (value == null ? [] : [key]))
    return 'code' in found ? [{ ...found, path: ['input', `${name}Image`, member] }] : []
  })
}

/** The images as requested. Signed addresses are not used: they expire and differ each time. */
function toContent({ targetImage, swapImage }: CreateSwapInput): readonly unknown[] {
  return [targetImage, swapImage].map(({ url, uploadId, resultOf }) => url ?? [uploadId ?? null, resultOf ?? null])
}

/**
 * Whether a repeated idempotency key requests the same job as its first use. The fingerprint covers the images, the
 * client reference and the tags; once the job is forgotten, also its hook address. Other members are compared with the
 * job itself, so that fingerprints of earlier versions stay valid. `waitMs` and `reuseSameContent` may differ: they do
 * not change the job.
 */
function isSameSwap(
  { job, fingerprint }: Extract<CreatedJob, { kind: 'existing' }>,
  asked: NewSwapJob,
  seal: Pick<IdempotencySeal, 'isSealedFingerprint'>,
): boolean {
  const { idempotency, hookUrl, hookFormat, keepDays, retryOf } = asked
  if (idempotency === null) return false
  const isSame = fingerprint === idempotency.fingerprint && job.hookUrl === hookUrl
  return (
    (isSame || seal.isSealedFingerprint(fingerprint, idempotency.fingerprint, hookUrl)) &&
    (hookUrl === null || job.hookFormat === hookFormat) &&
    job.keepDays === keepDays &&
    job.retryOf === retryOf
  )
}

function toIdempotency(
  tenant: string,
  input: CreateSwapInput,
  seal: Pick<IdempotencySeal, 'listSealedKeys'>,
): NewSwapJob['idempotency'] {
  const { idempotencyKey: key } = input
  if (key == null) return null
  return { key, fingerprint: fingerprintOf(input), sealedKeys: seal.listSealedKeys(tenant, key) }
}

/** Digest of the images, the client reference and the tags, because these are erased with the job. */
function fingerprintOf(input: CreateSwapInput): string {
  return digestOf([...toContent(input), input.clientReference ?? null, input.tags ?? []])
}

function digestOf(parts: readonly unknown[]): string {
  return hash('sha256', JSON.stringify(parts), 'base64url')
}
