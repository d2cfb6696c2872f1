import { createHash } from 'node:crypto'
import type { Viewer } from '../auth/viewer.ts'
import type { EventBus } from '../bus/event-bus.ts'
import { GatewayError } from '../domain/errors.ts'
import type { SwapJob } from '../domain/swap-job.ts'
import type { Clock } from '../lib/clock.ts'
import { faultPoint } from '../lib/fault-points.ts'
import { createId } from '../lib/ids.ts'
import type { JobStore, NewSwapJob, Room } from '../store/job-store.ts'
import type { Telemetry } from '../telemetry/events.ts'
import { type CreateSwapInput, parseCreateSwapInput, type SwapInputIssue } from './create-swap-input.ts'
import type { HookAddresses } from './hook-addresses.ts'
import { SUBMIT_LEASE_MS, type Submitter } from './submit-swap.ts'
import type { UpstreamBreaker } from './upstream-breaker.ts'
import type { Watcher } from './watch-job.ts'

export type CreateSwapOutcome =
  | { readonly kind: 'created'; readonly job: SwapJob; readonly reused: 'NONE' | 'SAME_KEY' }
  /** The upstream's answer to the submit was a sure no; the job is recorded as FAILED. */
  | { readonly kind: 'refused'; readonly job: SwapJob }
  | { readonly kind: 'invalid'; readonly issues: readonly SwapInputIssue[] }
  /** The key belongs to `job`, which was made with another input. */
  | { readonly kind: 'keyConflict'; readonly job: SwapJob }
  /** Too many swaps wait already; nothing was recorded, nothing was sent. */
  | { readonly kind: 'busy'; readonly maxInFlight: number }

export interface CreateSwapParts {
  readonly store: Pick<JobStore, 'createJob'>
  readonly bus: Pick<EventBus, 'publish'>
  readonly submitter: Pick<Submitter, 'submit'>
  readonly watcher: Pick<Watcher, 'awaitDone'>
  readonly breaker: Pick<UpstreamBreaker, 'isTripped'>
  readonly room: Room
  readonly hookAddresses: Pick<HookAddresses, 'addressOf'>
  readonly telemetry: Pick<Telemetry, 'jobNotRecorded'>
  readonly clock: Clock
}

/**
 * Records a swap and submits it, at most once for one idempotency key of one tenant. The job, its key and its claim
 * are durable before the first byte goes out, and the work goes on when the caller hangs up. Where there is no room
 * upstream the job waits.
 * @param raw the caller's input, not checked yet.
 * @throws {GatewayError} code UNAVAILABLE when the job cannot be recorded; nothing was sent.
 */
export type CreateSwap = (viewer: Viewer, raw: unknown) => Promise<CreateSwapOutcome>

export function createCreateSwap(parts: CreateSwapParts): CreateSwap {
  const { store, bus, submitter, watcher, breaker, room, hookAddresses, telemetry, clock } = parts
  return async (viewer, raw) => {
    const parsed = parseCreateSwapInput(raw)
    if (!parsed.ok) return { kind: 'invalid', issues: parsed.issues }
    const { input } = parsed
    const createdAt = clock.now()
    const id = createId('job', createdAt)
    const fingerprint = fingerprintOf(input)
    const newJob: NewSwapJob = {
      id,
      tenant: viewer.tenant,
      targetImageUrl: input.targetImage.url,
      swapImageUrl: input.swapImage.url,
      clientReference: input.clientReference ?? null,
      tags: input.tags ?? [],
      createdAt,
      hookAddress: hookAddresses.addressOf(id),
      leaseUntil: breaker.isTripped() ? null : createdAt + SUBMIT_LEASE_MS,
      idempotency: input.idempotencyKey == null ? null : { key: input.idempotencyKey, fingerprint },
    }
    const stored = await store.createJob(newJob, room).catch((error: unknown) => {
      telemetry.jobNotRecorded(error)
      throw new GatewayError('UNAVAILABLE', 'The swap could not be recorded. Nothing was sent; try again later.')
    })
    faultPoint('intent-committed')
    if (stored.kind === 'full') return { kind: 'busy', maxInFlight: room.maxInFlight }
    if (stored.kind === 'existing' && stored.fingerprint !== fingerprint) {
      return { kind: 'keyConflict', job: stored.job }
    }
    if (stored.kind === 'created') bus.publish(stored.job)
    const isMine = stored.kind === 'created' && stored.job.leaseUntil !== null
    const submitted = isMine ? await submitter.submit(stored.job) : stored.job
    const job = await watcher.awaitDone(submitted, input.waitMs ?? 0)
    if (wasRefused(job)) return { kind: 'refused', job }
    return { kind: 'created', job, reused: stored.kind === 'created' ? 'NONE' : 'SAME_KEY' }
  }
}

/** Told from the job alone, so that a repeated call is answered as the first was. */
function wasRefused(job: SwapJob): boolean {
  return job.status === 'FAILED' && job.submittedAt === null && job.failure?.code !== 'NOT_SUBMITTED'
}

/** A digest of all that makes two inputs the same swap; how long to wait for it is not part of it. */
function fingerprintOf(input: CreateSwapInput): string {
  const parts = [input.targetImage.url, input.swapImage.url, input.clientReference ?? null, input.tags ?? []]
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
}
