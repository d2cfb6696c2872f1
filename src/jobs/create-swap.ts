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
  /** The upstream's answer to the submit was a sure no; the job is recorded as FAILED. */
  | { readonly kind: 'refused'; readonly job: SwapJob }
  | { readonly kind: 'invalid'; readonly issues: readonly SwapInputIssue[] }
  /** The key belongs to `job`, which was made with another input. */
  | { readonly kind: 'keyConflict'; readonly job: SwapJob }
  /** Too many swaps wait already, or the tenant has too many; nothing was recorded, nothing was sent. */
  | { readonly kind: 'busy'; readonly maxInFlight: number }
  /** The tenant's units for the day are used up, or too many of its swaps were refused; nothing was recorded. */
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
  /** Says where the caller's own hook may be. */
  readonly guard: Pick<AddressGuard, 'checkUrl'>
  readonly hookAddresses: Pick<HookAddresses, 'addressOf'>
  readonly seal: IdempotencySeal
  readonly telemetry: Pick<Telemetry, 'jobNotRecorded'>
  readonly clock: Clock
}

/** `createSwap` with its parts. */
export type CreateSwap = (viewer: Viewer, raw: unknown, retryOf?: string) => Promise<CreateSwapOutcome>

/** With `reuseSameContent`: how long ago the same images may have been swapped. */
const SAME_CONTENT_MS = 60 * 60 * 1_000
/** The claim that a job is recorded with. */
const FIRST_FENCING = 1

/**
 * Records a swap and submits it, at most once for one idempotency key of one tenant. The job, its key and its claim are
 * durable before the first byte is sent, and the work goes on if the caller hangs up. If there is no room upstream, the
 * job waits.
 * @param raw the caller's input, not checked yet.
 * @throws {GatewayError} code UNAVAILABLE when the job cannot be recorded, FORBIDDEN when the viewer may not write;
 * nothing was sent.
 */
export async function createSwap(
  parts: CreateSwapParts,
  viewer: Viewer,
  raw: unknown,
  retryOf: string | null,
): Promise<CreateSwapOutcome> {
  requireScope(viewer, 'swap:write')
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
  const stored = await recordJob(parts, newJob)
  faultPoint('intent-committed')
  const waitMs = input.waitMs ?? 0
  switch (stored.kind) {
    case 'created':
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
  { breaker, hookAddresses, seal, clock }: CreateSwapParts,
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
  }
}

/** Records the job. If the answer to the commit is lost, makes sure that the claim does not hold the job for ever. */
async function recordJob(parts: CreateSwapParts, newJob: NewSwapJob): Promise<CreatedJob> {
  const { store, room, budget, telemetry, releaseUnsent } = parts
  try {
    return await store.createJob(newJob, room, toTenantLimits(budget, newJob.createdAt))
  } catch (error) {
    telemetry.jobNotRecorded(error)
    if (error instanceof CommitUnknownError) {
      const { id: jobId, leaseUntil, idempotency } = newJob
      releaseUnsent({ jobId, fencing: FIRST_FENCING, leaseUntil, mayWait: idempotency !== null }, error)
    }
    throw new GatewayError('UNAVAILABLE', 'The swap could not be recorded. Nothing was submitted. Try again later.')
  }
}

/** Submits a job that was recorded as claimed; one that waits for room is left to the queue. */
async function submitAndWait(
  { bus, submitter, watcher }: CreateSwapParts,
  job: SwapJob,
  waitMs: number,
): Promise<SwapJob> {
  bus.publish(job)
  // An answer that cannot be recorded is reported by the submitter. The caller gets the job, which was sent.
  const submitted = job.leaseUntil === null ? job : await submitter.submit(job).catch(() => job)
  return watcher.awaitDone(submitted, waitMs)
}

function toOutcome(job: SwapJob, reused: 'NONE' | 'SAME_KEY'): CreateSwapOutcome {
  return wasRefused(job) ? { kind: 'refused', job } : { kind: 'created', job, reused }
}

/** Derived from the job alone, so that a repeated call gets the same answer as the first. */
function wasRefused(job: SwapJob): boolean {
  return job.status === 'FAILED' && job.submittedAt === null && job.failure?.code !== 'NOT_SUBMITTED'
}

/** What is wrong with either image, or both, at its place in the input. */
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

/** The images as they were asked for, not the addresses made of them: those end, and differ each time. */
function toContent({ targetImage, swapImage }: CreateSwapInput): readonly unknown[] {
  return [targetImage, swapImage].map(({ url, uploadId, resultOf }) => url ?? [uploadId ?? null, resultOf ?? null])
}

/**
 * Whether the input that an idempotency key was first used with asks for the same job. The digest covers the images, the
 * client reference and the tags, and once the job is forgotten also its hook address. Other members are compared with the
 * job itself, so that the digests of earlier versions stay valid. `waitMs` and `reuseSameContent` may differ: they do not change the job that the key stands for.
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

/** A digest of the images, the client reference and the tags, which are erased with the job. */
function fingerprintOf(input: CreateSwapInput): string {
  return digestOf([...toContent(input), input.clientReference ?? null, input.tags ?? []])
}

function digestOf(parts: readonly unknown[]): string {
  return hash('sha256', JSON.stringify(parts), 'base64url')
}
