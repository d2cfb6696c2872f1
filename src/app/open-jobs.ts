import { hasScope } from '../auth/viewer.ts'
import type { WatchTokens } from '../auth/watch-tokens.ts'
import { listAllowedHosts } from '../config/allowed-hosts.ts'
import { isLoopback } from '../config/config.ts'
import type { UseCases } from '../graphql/schema/context.ts'
import { createCancelSwap } from '../jobs/cancel-swap.ts'
import { createSwapBatch } from '../jobs/create-swap-batch.ts'
import { type CreateSwap, createSwap } from '../jobs/create-swap.ts'
import { createIdempotencySeal } from '../jobs/idempotency-seal.ts'
import { createFindInputImage } from '../jobs/input-images.ts'
import { type HookReceiver, openHookReceiver } from '../jobs/lifecycle/accept-hook.ts'
import { createApplyReport } from '../jobs/lifecycle/apply-report.ts'
import { Confirmer } from '../jobs/lifecycle/confirm-swap.ts'
import { MAX_AT_ONE_RECEIVER, runWebhooks } from '../jobs/lifecycle/deliver-webhooks.ts'
import { createHookAddresses } from '../jobs/lifecycle/hook-addresses.ts'
import { createLeases } from '../jobs/lifecycle/leases.ts'
import { openReconciler } from '../jobs/lifecycle/reconcile.ts'
import { createReleaseUnsent } from '../jobs/lifecycle/release-unsent.ts'
import { runQueue } from '../jobs/lifecycle/run-queue.ts'
import { Submitter } from '../jobs/lifecycle/submit-swap.ts'
import { createUpstreamBreaker } from '../jobs/lifecycle/upstream-breaker.ts'
import { createListJobs } from '../jobs/list-jobs.ts'
import { createReadJobs } from '../jobs/read-jobs.ts'
import { createReplayWebhook } from '../jobs/replay-webhook.ts'
import { createRetrySwap } from '../jobs/retry-swap.ts'
import { type Checks, ServiceStatus } from '../jobs/service-status.ts'
import { createWatcher } from '../jobs/watch-job.ts'
import { createWatchJobs } from '../jobs/watch-jobs.ts'
import { openDiskHookJournal } from '../journal/disk.ts'
import { createInterruptibleDelay } from '../lib/async/interruptible-delay.ts'
import { createAddressGuard } from '../lib/net/address-guard.ts'
import { wallNow } from '../lib/time/clock.ts'
import type { StateSources } from '../telemetry/metrics/state-gauges.ts'
import { openWebhookSender } from '../webhooks/http.ts'
import type { Authentication } from './open-authentication.ts'
import { type Images, openImages } from './open-images.ts'
import type { Storage } from './open-storage.ts'
import type { UpstreamStage } from './open-upstream.ts'
import type { Runtime } from './runtime.ts'

/** Swaps that may wait for a slot upstream. */
const MAX_WAITING = 1_000

/** The use cases, and the loops that move jobs. */
export interface JobsStage {
  readonly useCases: UseCases
  readonly hooks: HookReceiver
  readonly images: Pick<Images, 'handlers' | 'warmUp'>
  /** For the metrics. */
  readonly state: Pick<StateSources, 'isBreakerOpen' | 'waitingRoomCapacity' | 'imageBytes' | 'journalBytes'>
  /** Starts no further sweep and no further webhook attempt. */
  stopLoops(): Promise<void>
  /** Call it once no work is in progress. */
  close(): Promise<void>
}

export interface JobsParts {
  readonly runtime: Runtime
  readonly storage: Storage
  readonly upstream: UpstreamStage
  readonly authentication: Pick<Authentication, 'authenticate' | 'hasOneTenant'>
  readonly watchTokens: WatchTokens
  readonly publicUrl: string
  readonly checks: Checks
}

export async function openJobsStage(parts: JobsParts): Promise<JobsStage> {
  const shared = createShared(parts)
  const lifecycle = await openLifecycle(parts, shared)
  const { images, breaker, room } = shared
  return {
    state: {
      isBreakerOpen: breaker.isTripped,
      waitingRoomCapacity: room.maxWaiting,
      imageBytes: images.storedBytes,
      journalBytes: lifecycle.journalBytes,
    },
    useCases: createUseCases(parts, shared, lifecycle),
    hooks: lifecycle.hooks,
    images,
    stopLoops: () => lifecycle.stopLoops(),
    close: async () => {
      await lifecycle.close()
      await images.close()
    },
  }
}

/** Creates the parts that the lifecycle and the use cases share. Starts only the loop that copies results. */
function createShared({ runtime, storage, upstream, authentication, publicUrl }: JobsParts) {
  const { config, secrets, telemetry, clock, random, stopping } = runtime
  const { store, bus } = storage
  const { deadlines, maxInFlight } = config
  const allowedHosts = listAllowedHosts(config, publicUrl, upstream.embedded?.url ?? null)
  const seal = createIdempotencySeal(secrets.gatewaySecrets)
  const queueRoom = createInterruptibleDelay(clock, stopping)
  const webhooksDue = createInterruptibleDelay(clock, stopping)
  const wakes = { onRoom: queueRoom.wake, onWebhook: webhooksDue.wake }
  return {
    guard: createAddressGuard({ allowedHosts }),
    hookAddresses: createHookAddresses(publicUrl, secrets.gatewaySecrets),
    seal,
    breaker: createUpstreamBreaker(bus, clock, random),
    queueRoom,
    webhooksDue,
    applyReport: createApplyReport({ store, bus, ...wakes, telemetry, deadlines, random }),
    watcher: createWatcher({ store, bus, clock, stopping }),
    room: { maxInFlight, maxWaiting: MAX_WAITING },
    budget: {
      quotaPerDay: config.tenantQuotaPerDay,
      maxInFlight: config.tenantMaxInFlight,
      maxWaiting: () => (authentication.hasOneTenant() ? null : MAX_WAITING / 2),
    },
    images: openImages({
      runtime,
      storage,
      publicUrl,
      allowedHosts: [...allowedHosts, new URL(upstream.url).host],
      seal,
      authenticate: authentication.authenticate,
    }),
  }
}

type Shared = ReturnType<typeof createShared>

/** Opens what moves jobs, and starts its loops. */
async function openLifecycle({ runtime, storage, upstream: { upstream } }: JobsParts, shared: Shared) {
  const { config, secrets, telemetry, traceContexts, clock, random, background, stopping } = runtime
  const { store, webhooks, fetchLimiter } = storage
  const { guard, hookAddresses, breaker, queueRoom, webhooksDue, applyReport, images } = shared
  const { mirror } = images
  const confirming = { store, upstream, applyReport, breaker, fetchLimiter, mirror, telemetry, clock, stopping }
  const confirmer = new Confirmer(confirming)
  const leases = createLeases(store, background, clock)
  const releaseUnsent = createReleaseUnsent({ store, applyReport, leases, background, clock, stopping })
  const submitting = { store, upstream, applyReport, breaker, background, leases, releaseUnsent, hookAddresses }
  const submitter = new Submitter({ ...submitting, maxInFlight: config.maxInFlight, telemetry, clock, random })
  const journal = await openDiskHookJournal(config.dataDir)
  const hookParts = { store, journal, upstream, confirmer, hookAddresses, background, random, stopping }
  const hooks = openHookReceiver({ ...hookParts, telemetry, clock })
  const reconciling = { store, confirmer, applyReport, breaker, hooks, leases, background, telemetry, clock }
  const reconciler = openReconciler(reconciling)

  const { gatewaySecrets } = secrets
  const sender = openWebhookSender({ gatewaySecrets, guard, connections: MAX_AT_ONE_RECEIVER, wallNow })
  const delivering = {
    store: webhooks,
    sender,
    wakeUp: webhooksDue,
    background,
    telemetry,
    traceContexts,
    clock,
    random,
  }
  background.run('deliver webhooks', () => runWebhooks(delivering, stopping))
  background.run('erase expired data', () => images.forgetter.run(stopping, telemetry))
  background.run('run the queue', () => runQueue({ submitter, room: queueRoom, telemetry, stopping }))
  return {
    confirmer,
    submitter,
    releaseUnsent,
    hooks,
    stopLoops: async () => {
      await sender.close()
      await reconciler.close()
    },
    journalBytes: async () => journal.sizeBytes(),
    close: () => journal.close(),
  }
}

type Lifecycle = Awaited<ReturnType<typeof openLifecycle>>

function createUseCases(
  { runtime, storage, upstream, watchTokens, publicUrl, checks }: JobsParts,
  shared: Shared,
  { confirmer, submitter, releaseUnsent }: Lifecycle,
): UseCases {
  const { config, telemetry, traceContexts, clock } = runtime
  const { store, webhooks, bus } = storage
  const { guard, hookAddresses, seal, breaker, webhooksDue, applyReport, images, watcher, room, budget } = shared
  const { deadlines } = config
  const findInputImage = createFindInputImage({
    store,
    images: storage.images,
    addresses: images.addresses,
    guard,
    isReachable: upstream.embedded !== null || !isLoopback(new URL(publicUrl).hostname),
    neededForMs: deadlines.submitBeforeMs + deadlines.onQueueMs,
    clock,
  })
  const creating = { store, bus, submitter, releaseUnsent, watcher, breaker, room, budget, guard, findInputImage }
  const createParts = { ...creating, hookAddresses, seal, telemetry, traceContexts, clock }
  const create: CreateSwap = (viewer, raw, origin) => createSwap(createParts, viewer, raw, origin)
  return {
    createSwap: create,
    createSwapBatch: (...args) => createSwapBatch(create, ...args),
    // A caller that may create swaps may let others watch them.
    issueWatchToken: (viewer, job) => (hasScope(viewer, 'swap:write') ? watchTokens.issue(job) : null),
    ...images.useCases,
    retrySwap: createRetrySwap(store, create),
    cancelSwap: createCancelSwap({ store, applyReport, clock }),
    listJobs: createListJobs(store),
    replayWebhook: createReplayWebhook({ store, webhooks, onWebhook: webhooksDue.wake, clock }),
    findWebhooks: async (jobIds) => webhooks.findByJobs(jobIds),
    status: new ServiceStatus({ store, breaker, room, budget, checks, clock }),
    watcher,
    watchJobs: createWatchJobs({ store, bus, clock }),
    openReading: (viewer) => createReadJobs(viewer, store, confirmer),
    jobsVersion: (tenant) => store.jobsVersion(tenant),
    listTimelines: (jobIds) => store.listTimelines(jobIds),
    now: () => clock.now(),
  }
}
