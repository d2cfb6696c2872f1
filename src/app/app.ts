/**
 * The composition root: opens the gateway in four stages (storage, upstream, jobs, entry points), each of which uses the
 * ones before it, and closes them in the reverse order.
 */
import type { SwapFaceEvent } from 'swapface-gateway-engine'
import { createWatchTokens } from '../auth/watch-tokens.ts'
import type { Config } from '../config/config.ts'
import type { Secrets } from '../config/secrets.ts'
import { GRAPHQL_PATH } from '../graphql/graphql-server.ts'
import { type Clock, systemClock } from '../lib/time/clock.ts'
import { combineTelemetry } from '../telemetry/combine.ts'
import type { Telemetry } from '../telemetry/events.ts'
import type { Metrics } from '../telemetry/metrics/metrics.ts'
import type { StateSources } from '../telemetry/metrics/state-gauges.ts'
import { type AdminServer, openAdminServer } from './admin-server.ts'
import type { Traces } from '../telemetry/otel/open-traces.ts'
import { type HttpServer, listen } from './http-server.ts'
import { type Authentication, openAuthentication } from './open-authentication.ts'
import { type EntryPointsStage, openEntryPointsStage } from './open-entry-points.ts'
import { type JobsStage, openJobsStage } from './open-jobs.ts'
import { openTracesIfOn } from './open-traces.ts'
import { openStorage, type Storage } from './open-storage.ts'
import { openUpstreamStage, type UpstreamStage } from './open-upstream.ts'
import { createRuntime, type Runtime } from './runtime.ts'
import { shutDown, type ShutdownStep } from './shut-down.ts'
import { StartChecks } from './start-checks.ts'
import { createStartupHandlers } from './startup-handlers.ts'

export interface AppParts {
  readonly config: Config
  readonly secrets: Secrets
  readonly telemetry: Telemetry
  /** Of the program, for the metrics. */
  readonly version: string
  /** Called with the events of the embedded upstream. */
  readonly upstreamLog: (event: SwapFaceEvent) => void
  readonly clock?: Clock
}

export interface App {
  /** The address it listens on. */
  readonly url: string
  /** The URL at which callers and the upstream reach it. */
  readonly publicUrl: string
  /** Where Prometheus reads the metrics; null if they are off. */
  readonly metricsUrl: string | null
  /** The upstream in use; `embedded` if it was started here. */
  readonly upstream: { readonly url: string; readonly embedded: boolean }
  /** Two images for a first swap: portraits of the embedded upstream, or placeholders, which are refused and cost nothing. */
  readonly exampleImages: { readonly targetImage: string; readonly swapImage: string }
  /** Tests the upstream key and PUBLIC_URL once, in the background. The results are telemetry and in `swapService`. */
  runStartChecks(): void
  /**
   * Reports not ready, keeps serving for `drainReadyMs`, waits for requests in progress, and closes everything.
   * Idempotent.
   */
  close(): Promise<void>
}

/** The stages opened so far. */
interface Opened {
  storage?: Storage
  server?: HttpServer
  admin?: AdminServer
  authentication?: Authentication
  upstream?: UpstreamStage
  jobs?: JobsStage
  entryPoints?: EntryPointsStage
}

/** In the order of dependency: a step may use what a later step closes. */
function listShutdownSteps(runtime: Runtime, traces: Traces | null, opened: Opened): readonly ShutdownStep[] {
  const { entryPoints, jobs, upstream, authentication, server, storage, admin } = opened
  return [
    { name: 'report not ready, keep serving', run: () => entryPoints?.drain() },
    { name: 'start no further sweep or webhook attempt', run: () => jobs?.stopLoops() },
    { name: 'end all waits', run: () => runtime.stop() },
    { name: 'refuse new requests, end streams', run: () => entryPoints?.close() },
    { name: 'wait for requests in progress, close the listener', run: () => server?.close() },
    { name: 'wait for submits and other work in progress', run: () => runtime.background.settled() },
    { name: 'close the jobs', run: () => jobs?.close() },
    { name: 'close the upstream', run: () => upstream?.close() },
    { name: 'close the API keys', run: () => authentication?.close() },
    { name: 'close the storage', run: () => storage?.close() },
    { name: 'export the last traces', run: () => traces?.close() },
    // Last, so that the whole shutdown can be watched.
    { name: 'close the metrics', run: () => admin?.close() },
  ]
}

/** Resolves once it accepts requests. @throws if a port is taken or a folder cannot be used; nothing is left open. */
export async function openApp(parts: AppParts): Promise<App> {
  const { config, secrets, upstreamLog, clock = systemClock } = parts
  const metrics = await loadMetrics(parts, clock)
  const traces = await openTracesIfOn(config, parts.telemetry, clock)
  const receivers = [parts.telemetry, metrics?.telemetry, traces?.telemetry].filter(
    (receiver) => receiver !== undefined,
  )
  const telemetry = combineTelemetry(receivers)
  const runtime = createRuntime({ config, secrets, telemetry, clock }, traces)
  const opened: Opened = {}
  let closing: Promise<void> | null = null
  const close = () => (closing ??= shutDown(listShutdownSteps(runtime, traces, opened), telemetry.shutdownStepBegan))
  try {
    const storage = (opened.storage = await openStorage(runtime))
    // Listens before it is ready: hook addresses contain the port, which the system may choose.
    const handlers = createStartupHandlers()
    const webSockets = { path: GRAPHQL_PATH, ...handlers }
    const server = (opened.server = await listen(config, handlers.route, webSockets, {
      clock,
      onAnswered: telemetry.requestAnswered,
      onFailed: telemetry.requestFailed,
    }))
    const url = toUrl(config.host, server.port)
    const onRenderError = (error: unknown) => telemetry.backgroundFailed('answer a request', error)
    if (metrics) opened.admin = await openAdminServer(config, metrics.render, onRenderError)
    const publicUrl = config.publicUrl ?? url

    const watchTokens = createWatchTokens(secrets.gatewaySecrets, () => clock.now())
    const authentication = await openAuthentication(config, secrets, watchTokens, telemetry)
    opened.authentication = authentication
    const upstream = (opened.upstream = await openUpstreamStage(runtime, publicUrl, upstreamLog))
    const isEmbedded = upstream.embedded !== null
    const { fetchLimiter } = storage
    const startChecks = new StartChecks({
      runtime,
      upstream: upstream.upstream,
      isEmbedded,
      fetchLimiter,
      publicUrl,
      url,
    })
    const checks = {
      keyAccepted: upstream.keyAccepted,
      publicUrlReachable: () => startChecks.isPublicUrlReachable,
    }
    const jobs = await openJobsStage({ runtime, storage, upstream, authentication, watchTokens, publicUrl, checks })
    opened.jobs = jobs

    const { url: upstreamUrl, embedded } = upstream
    const portraits = embedded?.portraits.map((portrait) => portrait.url) ?? []
    const [targetImage = 'TARGET_IMAGE_URL', swapImage = 'SWAP_IMAGE_URL'] = portraits
    const exampleImages = { targetImage, swapImage }
    const { authenticate } = authentication
    const { markAuthenticated } = server
    const stages = { runtime, storage, upstream, jobs }
    const entryParts = { ...stages, authenticate, publicUrl, exampleImages, markAuthenticated, handlers }
    const entryPoints = (opened.entryPoints = openEntryPointsStage(entryParts))
    metrics?.observe(listStateSources({ runtime, storage, server, jobs, entryPoints }))
    if (embedded) {
      embedded.warmUp()
      jobs.images.warmUp()
    }
    const metricsUrl = metrics && `${toUrl(config.adminHost, config.adminPort)}/metrics`
    return {
      url,
      publicUrl,
      metricsUrl,
      upstream: { url: upstreamUrl, embedded: isEmbedded },
      exampleImages,
      runStartChecks: () => startChecks.run(),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

function toUrl(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Loads the metrics only if they are used. */
async function loadMetrics({ config, version }: AppParts, clock: Clock): Promise<Metrics | null> {
  if (config.adminPort === 0) return null
  const { createMetrics } = await import('../telemetry/metrics/metrics.ts')
  const database = config.databasePath === null ? 'postgres' : 'sqlite'
  const upstream = config.upstreamUrl === null ? 'embedded' : 'remote'
  return createMetrics({ version, database, upstream }, () => clock.now())
}

function listStateSources({
  runtime,
  storage,
  server,
  jobs,
  entryPoints,
}: Pick<Required<Opened>, 'storage' | 'server' | 'jobs' | 'entryPoints'> & {
  readonly runtime: Runtime
}): StateSources {
  const { clock, telemetry } = runtime
  return {
    readFigures: async (since) => storage.store.readFigures(since),
    databaseBytes: async () => storage.sizeBytes(),
    countConnections: async () => server.countConnections(),
    countLive: () => entryPoints.countLive(),
    ...jobs.state,
    now: () => clock.now(),
    onFailure: (error) => telemetry.backgroundFailed('collect metrics', error),
  }
}
