/**
 * The composition root: with the `open-*` beside it, the only place that names implementations. Opened from the ground
 * up, closed in the reverse order: first nobody comes in any more, then what is under way ends, then what it stood on
 * goes.
 */
import { setMaxListeners } from 'node:events'
import type { SwapFaceEvent } from 'swapface-gateway-engine'
import { hasScope } from '../auth/viewer.ts'
import { createWatchTokens } from '../auth/watch-tokens.ts'
import { listAllowedHosts } from '../config/allowed-hosts.ts'
import { type Config, isLoopback } from '../config/config.ts'
import type { Secrets } from '../config/secrets.ts'
import { readTrustedDocuments } from '../config/trusted-documents-file.ts'
import { createSchema } from '../graphql/schema/schema.ts'
import { printStandaloneSdl } from '../graphql/schema/sdl.ts'
import { GRAPHQL_PATH, openGraphqlServer } from '../graphql/graphql-server.ts'
import { createRequestChecks } from '../http/request-checks.ts'
import { createHookHandler } from '../http/hook.ts'
import { createPageHandler } from '../http/page.ts'
import { createRestHandler } from '../http/rest.ts'
import { createRouter } from '../http/router.ts'
import { createSchemaFile } from '../http/schema-file.ts'
import { openDiskHookJournal } from '../journal/disk.ts'
import { openHookTaker } from '../jobs/lifecycle/accept-hook.ts'
import { createApplyReport } from '../jobs/lifecycle/apply-report.ts'
import { createCancelSwap } from '../jobs/cancel-swap.ts'
import { createConfirmer } from '../jobs/lifecycle/confirm-swap.ts'
import { createCreateSwapBatch } from '../jobs/create-swap-batch.ts'
import { createCreateSwap } from '../jobs/create-swap.ts'
import { createFindInputImage } from '../jobs/input-images.ts'
import { createIdempotencySeal } from '../jobs/idempotency-seal.ts'
import { createHookAddresses } from '../jobs/lifecycle/hook-addresses.ts'
import { createReadJobs } from '../jobs/read-jobs.ts'
import { createLeases } from '../jobs/lifecycle/leases.ts'
import { createListJobs } from '../jobs/list-jobs.ts'
import { openReconciler } from '../jobs/lifecycle/reconcile.ts'
import { MAX_AT_ONE_RECEIVER, runWebhooks } from '../jobs/lifecycle/deliver-webhooks.ts'
import { createReplayWebhook } from '../jobs/replay-webhook.ts'
import { createReleaseUnsent } from '../jobs/lifecycle/release-unsent.ts'
import { createRetrySwap } from '../jobs/retry-swap.ts'
import { runQueue } from '../jobs/lifecycle/run-queue.ts'
import { createServiceStatus } from '../jobs/service-status.ts'
import { createSubmitter } from '../jobs/lifecycle/submit-swap.ts'
import { createUpstreamBreaker } from '../jobs/lifecycle/upstream-breaker.ts'
import { createWatcher } from '../jobs/watch-job.ts'
import { createWatchJobs } from '../jobs/watch-jobs.ts'
import { createAddressGuard } from '../lib/net/address-guard.ts'
import { createBackground } from '../lib/async/background.ts'
import { type Clock, systemClock, wallNow } from '../lib/time/clock.ts'
import { createClosers } from '../lib/async/closers.ts'
import { createInterruptibleDelay } from '../lib/async/interruptible-delay.ts'
import { createStartupHandlers } from './startup-handlers.ts'
import { openAuthentication } from './open-authentication.ts'
import { openEmbedded } from './open-embedded.ts'
import { openImages } from './open-images.ts'
import { openStorage } from './open-storage.ts'
import { listen } from './http-server.ts'
import type { Telemetry } from '../telemetry/events.ts'
import { openWebhookSender } from '../webhooks/http.ts'
import { openRestUpstream } from '../upstream/rest.ts'

const SUBMIT_TIMEOUT_MS = 30_000
const FETCH_TIMEOUT_MS = 10_000
/** Swaps that may wait for room upstream. */
const MAX_WAITING = 1_000

export interface AppParts {
  readonly config: Config
  readonly secrets: Secrets
  readonly telemetry: Telemetry
  /** Called with what the embedded upstream reports of itself. */
  readonly upstreamLog: (event: SwapFaceEvent) => void
  readonly clock?: Clock
}

export interface App {
  /** Where it listens. */
  readonly url: string
  /** How others reach it. */
  readonly publicUrl: string
  /** The upstream that is used; `embedded` where it was started here. */
  readonly upstream: { readonly url: string; readonly embedded: boolean }
  /** Two images for a first swap: portraits of the embedded upstream, or placeholders, which are refused and cost nothing. */
  readonly exampleImages: { readonly targetImage: string; readonly swapImage: string }
  /** Reports not ready, serves on for `drainReadyMs`, waits for requests in progress, then closes everything. */
  close(): Promise<void>
}

/** Resolves once it takes requests. @throws when an address is taken or a folder cannot be used; nothing is left open. */
export async function openApp({
  config,
  secrets,
  telemetry,
  upstreamLog,
  clock = systemClock,
}: AppParts): Promise<App> {
  const closers = createClosers()
  try {
    const { random } = Math
    const background = createBackground(telemetry.backgroundFailed)
    const onUnexpectedError = (error: unknown) => telemetry.backgroundFailed('answer a request', error)

    const stopController = new AbortController()
    const stopping = stopController.signal
    // Everything that waits listens to it.
    setMaxListeners(0, stopping)
    const { bus, images, limiter, fetchLimiter, store, webhooks } = await openStorage({
      config,
      postgresUrl: secrets.postgresUrl,
      telemetry,
      background,
      clock,
      stopping,
      onClose: closers.add,
    })
    closers.add(async () => {
      stopController.abort()
      await background.settled()
    })

    // Listens before it is ready: the port may be one that was free, and hook addresses name it.
    const handlers = createStartupHandlers()
    const server = await listen(config, handlers.route, { path: GRAPHQL_PATH, ...handlers }, undefined, clock)
    closers.add(() => server.close())
    const url = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${server.port}`
    const publicUrl = config.publicUrl ?? url
    const { allowedOrigins, authenticates, checksHost } = config
    const isOpen = !authenticates
    const checks = createRequestChecks({
      publicUrl,
      allowedOrigins,
      checksHost,
      isOpen,
      onRefused: telemetry.originRefused,
    })
    const watchTokens = createWatchTokens(secrets.gatewaySecrets, () => clock.now())
    const { authenticate, hasOneTenant, closeKeys } = await openAuthentication(config, secrets, watchTokens, telemetry)
    closers.add(closeKeys)

    const embedded = config.upstreamUrl === null ? await openEmbedded(config, secrets, publicUrl, upstreamLog) : null
    if (embedded) closers.add(() => embedded.close())
    const upstreamUrl = embedded?.url ?? config.upstreamUrl ?? ''
    const upstream = openRestUpstream({
      url: upstreamUrl,
      key: secrets.upstreamKey,
      submitTimeoutMs: SUBMIT_TIMEOUT_MS,
      fetchTimeoutMs: FETCH_TIMEOUT_MS,
    })
    closers.add(() => upstream.close())

    const portraits = embedded?.portraits ?? []
    const [targetImage = 'TARGET_IMAGE_URL', swapImage = 'SWAP_IMAGE_URL'] = portraits.map((portrait) => portrait.url)
    const exampleImages = { targetImage, swapImage }

    const hookAddresses = createHookAddresses(publicUrl, secrets.gatewaySecrets)
    const breaker = createUpstreamBreaker(bus, clock, random)
    const room = createInterruptibleDelay(clock, stopping)
    const { deadlines, maxInFlight } = config
    const webhooksDue = createInterruptibleDelay(clock, stopping)
    const wakes = { onRoom: room.wake, onWebhook: webhooksDue.wake }
    const applyReport = createApplyReport({ store, bus, ...wakes, telemetry, deadlines, random })

    const allowedHosts = listAllowedHosts(config, publicUrl, embedded?.url ?? null)
    const seal = createIdempotencySeal(secrets.gatewaySecrets)
    const imageParts = openImages({
      config,
      secrets,
      publicUrl,
      allowedHosts: [...allowedHosts, new URL(upstreamUrl).host],
      store,
      images,
      seal,
      authenticate,
      limiter,
      background,
      telemetry,
      clock,
      stopping,
      onClose: closers.add,
    })
    const { addresses: imageAddresses, forgetter, mirror } = imageParts
    const confirming = { store, upstream, applyReport, breaker, fetchLimiter, mirror, telemetry, clock, stopping }
    const confirmer = createConfirmer(confirming)
    const leases = createLeases(store, background, clock)
    const releaseUnsent = createReleaseUnsent({ store, applyReport, leases, background, clock, stopping })
    const submitter = createSubmitter({
      store,
      upstream,
      applyReport,
      breaker,
      maxInFlight,
      background,
      leases,
      releaseUnsent,
      hookAddresses,
      telemetry,
      clock,
      random,
    })
    const watcher = createWatcher({ store, bus, clock, stopping })
    const budget = {
      quotaPerDay: config.tenantQuotaPerDay,
      maxInFlight: config.tenantMaxInFlight,
      maxWaiting: () => (hasOneTenant() ? null : MAX_WAITING / 2),
    }
    const guard = createAddressGuard({ allowedHosts })
    const createSwap = createCreateSwap({
      store,
      bus,
      submitter,
      releaseUnsent,
      watcher,
      breaker,
      room: { maxInFlight, maxWaiting: MAX_WAITING },
      budget,
      guard,
      findInputImage: createFindInputImage({
        store,
        images,
        addresses: imageAddresses,
        guard,
        isReachable: embedded !== null || !isLoopback(new URL(publicUrl).hostname),
        neededForMs: deadlines.submitBeforeMs + deadlines.onQueueMs,
        clock,
      }),
      hookAddresses,
      seal,
      telemetry,
      clock,
    })

    const journal = await openDiskHookJournal(config.dataDir)
    closers.add(() => journal.close())
    closers.add(() => background.settled())
    closers.add(() => stopController.abort())
    const hooks = openHookTaker({
      store,
      journal,
      upstream,
      confirmer,
      hookAddresses,
      telemetry,
      background,
      clock,
      random,
      stopping,
    })

    const schema = createSchema()
    const graphql = openGraphqlServer({
      schema,
      useCases: {
        createSwap,
        // Whoever made the job may let others watch it.
        issueWatchToken: (viewer, job) => (hasScope(viewer, 'swap:write') ? watchTokens.issue(job) : null),
        ...imageParts.useCases,
        createSwapBatch: createCreateSwapBatch(createSwap),
        retrySwap: createRetrySwap(store, createSwap),
        cancelSwap: createCancelSwap({ store, applyReport, clock }),
        listJobs: createListJobs(store),
        replayWebhook: createReplayWebhook({ store, webhooks, onWebhook: webhooksDue.wake, clock }),
        findWebhooks: async (jobIds) => webhooks.findByJobs(jobIds),
        status: createServiceStatus({ store, breaker, room: { maxInFlight, maxWaiting: MAX_WAITING }, budget, clock }),
        watcher,
        watchJobs: createWatchJobs({ store, bus, clock }),
        openReading: (viewer) => createReadJobs(viewer, store, confirmer),
        jobsVersion: (tenant) => store.jobsVersion(tenant),
        listTimelines: (jobIds) => store.listTimelines(jobIds),
        now: () => clock.now(),
      },
      authenticate,
      limiter,
      trustedDocuments: readTrustedDocuments(config.trustedDocumentsPath),
      introspection: config.introspection,
      maxSocketOperations: config.maxSocketOperations,
      graphiql: config.graphiql && { exampleImages },
      onUnexpectedError,
      onFastPathFallback: telemetry.fastPathFellBack,
      markAuthenticated: server.markAuthenticated,
      random,
    })
    closers.add(async () => {
      handlers.shut()
      stopController.abort()
      await graphql.close()
      await server.close()
    })

    const reconciler = openReconciler({
      store,
      confirmer,
      applyReport,
      breaker,
      hooks,
      leases,
      background,
      telemetry,
      clock,
    })
    closers.add(() => reconciler.close())
    const { gatewaySecrets } = secrets
    const sender = openWebhookSender({ gatewaySecrets, guard, connections: MAX_AT_ONE_RECEIVER, wallNow })
    closers.add(() => sender.close())
    const delivery = { store: webhooks, sender, wakeUp: webhooksDue, background, telemetry, clock, random }
    background.run('deliver webhooks', () => runWebhooks(delivery, stopping))
    background.run('erase what is due', () => forgetter.run(stopping, telemetry))
    background.run('run the queue', () => runQueue({ submitter, room, telemetry, stopping }))

    let isDraining = false
    closers.add(async () => {
      isDraining = true
      if (config.drainReadyMs > 0) await clock.delay(config.drainReadyMs)
    })
    const isReady = async () => store.ping().then(() => !isDraining)
    const hook = createHookHandler(hooks)
    const { graphiql } = config
    const page = createPageHandler({ publicUrl, upstreamUrl, embedded: embedded !== null, graphiql, portraits })
    const rest = config.servesRest
      ? createRestHandler({
          authenticate,
          limiter,
          markAuthenticated: server.markAuthenticated,
          createSwap,
          openReading: (viewer) => createReadJobs(viewer, store, confirmer),
          findImages: imageParts.useCases.findImages,
          addressOfImage: imageParts.useCases.addressOfImage,
          clock,
        })
      : null
    const schemaFile = createSchemaFile(config.introspection ? () => printStandaloneSdl(schema) : null)
    const routed = { graphql: graphql.handle, hook, page, schemaFile, rest, ...imageParts.handlers }
    const route = createRouter({ checks, ...routed, isReady, onUnexpectedError })
    handlers.open({ route, refuseUpgrade: checks.refuseUpgrade, upgrade: graphql.upgrade })
    if (embedded) {
      embedded.warmUp()
      imageParts.warmUp()
    }

    return {
      url,
      publicUrl,
      upstream: { url: upstreamUrl, embedded: embedded !== null },
      exampleImages,
      close: () => closers.closeAll(),
    }
  } catch (error) {
    await closers.closeAll()
    throw error
  }
}
