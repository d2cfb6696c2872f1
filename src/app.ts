/**
 * The composition root: the one file that names implementations. Opened from the ground up, closed in the reverse
 * order: first nobody comes in any more, then what is under way ends, then what it stood on goes.
 */
import type { RequestListener } from 'node:http'
import { localViewer } from './auth/viewer.ts'
import type { EventBus } from './bus/event-bus.ts'
import { createMemoryBus } from './bus/memory.ts'
import type { Config } from './config/config.ts'
import { SettingError } from './config/env.ts'
import type { Secrets } from './config/secrets.ts'
import { createSchema } from './graphql/schema.ts'
import { GRAPHQL_PATH, openGraphqlServer } from './graphql/server.ts'
import { createHookDoor } from './http/hook.ts'
import { createPageDoor } from './http/page.ts'
import { sendError, sendJson } from './http/respond.ts'
import { createRouter } from './http/router.ts'
import { openDiskHookJournal } from './journal/disk.ts'
import { openHookTaker } from './jobs/accept-hook.ts'
import { createApplyReport } from './jobs/apply-report.ts'
import { createConfirmer } from './jobs/confirm-swap.ts'
import { createCreateSwap } from './jobs/create-swap.ts'
import { createHookAddresses } from './jobs/hook-addresses.ts'
import { createReadJobs } from './jobs/read-jobs.ts'
import { openReconciler } from './jobs/reconcile.ts'
import { runQueue } from './jobs/run-queue.ts'
import { createSubmitter } from './jobs/submit-swap.ts'
import { createUpstreamBreaker } from './jobs/upstream-breaker.ts'
import { createWatcher } from './jobs/watch-job.ts'
import { createWatchJobs } from './jobs/watch-jobs.ts'
import { type Background, createBackground } from './lib/background.ts'
import { type Clock, systemClock } from './lib/clock.ts'
import { createClosers } from './lib/closers.ts'
import { createPacer, type Pacer } from './lib/pacer.ts'
import { readPath } from './lib/request-path.ts'
import { createWakeableDelay } from './lib/wakeable-delay.ts'
import { listen } from './server.ts'
import type { JobStore } from './store/job-store.ts'
import { createJobStore } from './store/kysely-job-store.ts'
import { openDatabase as openSqlite } from './store/sqlite/open.ts'
import type { SwapFaceOptions } from './swapface/swapface.ts'
import type { Telemetry } from './telemetry/events.ts'
import { openRestUpstream } from './upstream/rest.ts'

const SUBMIT_TIMEOUT_MS = 30_000
const FETCH_TIMEOUT_MS = 10_000
/** Swaps that may wait for room upstream. */
const MAX_WAITING = 1_000

export interface AppParts {
  readonly config: Config
  readonly secrets: Secrets
  readonly telemetry: Telemetry
  /** What the embedded upstream reports of itself. */
  readonly upstreamLog: NonNullable<SwapFaceOptions['log']>
  readonly clock?: Clock
}

export interface App {
  /** Where it listens. */
  readonly url: string
  /** How others reach it. */
  readonly publicUrl: string
  /** The upstream that is used; `embedded` where it was started here. */
  readonly upstream: { readonly url: string; readonly embedded: boolean }
  /** Two images for a first swap: portraits of the embedded upstream, or made-up addresses. */
  readonly exampleImages: { readonly targetImage: string; readonly swapImage: string }
  /** Lets what is under way end, then closes everything. */
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

    const stopping = new AbortController()
    const { bus, pacer, store } = await openStorage({
      config,
      postgresUrl: secrets.postgresUrl,
      telemetry,
      background,
      clock,
      stopping: stopping.signal,
      onClose: closers.add,
    })
    closers.add(async () => {
      stopping.abort()
      await background.settled()
    })

    // Listens before it is ready: the port may be one that was free, and hook addresses name it.
    const doors = createDoors()
    const server = await listen(config, doors.route, { path: GRAPHQL_PATH, upgrade: doors.upgrade })
    closers.add(() => server.close())
    const url = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${server.port}`
    const publicUrl = config.publicUrl ?? url

    const embedded =
      config.upstreamUrl === null ? await openEmbedded(config, secrets, publicUrl, upstreamLog, closers.add) : null
    const upstreamUrl = embedded?.url ?? config.upstreamUrl ?? ''
    const upstream = openRestUpstream({
      url: upstreamUrl,
      key: secrets.upstreamKey,
      submitTimeoutMs: SUBMIT_TIMEOUT_MS,
      fetchTimeoutMs: FETCH_TIMEOUT_MS,
    })
    closers.add(() => upstream.close())

    const portraits = embedded?.portraits ?? []
    const [targetImage, swapImage] = portraits.map((portrait) => portrait.url)
    const exampleImages = {
      targetImage: targetImage ?? 'https://example.com/template.jpg',
      swapImage: swapImage ?? 'https://example.com/face.jpg',
    }

    const hookAddresses = createHookAddresses(publicUrl, secrets.gatewaySecrets)
    const breaker = createUpstreamBreaker(bus, clock, random)
    const room = createWakeableDelay(clock, stopping.signal)
    const { deadlines, maxInFlight } = config
    const applyReport = createApplyReport({ store, bus, onRoom: room.wake, telemetry, deadlines, random })
    const confirmer = createConfirmer({ store, upstream, applyReport, breaker, pacer, telemetry, clock })
    const submitter = createSubmitter({
      store,
      upstream,
      applyReport,
      breaker,
      maxInFlight,
      background,
      hookAddresses,
      telemetry,
      clock,
      random,
    })
    const watcher = createWatcher({ store, bus, clock, stopping: stopping.signal })
    const createSwap = createCreateSwap({
      store,
      bus,
      submitter,
      watcher,
      breaker,
      room: { maxInFlight, maxWaiting: MAX_WAITING },
      hookAddresses,
      telemetry,
      clock,
    })

    const journal = await openDiskHookJournal(config.dataDir)
    closers.add(() => journal.close())
    closers.add(() => background.settled())
    closers.add(() => stopping.abort())
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
      stopping: stopping.signal,
    })

    const graphql = await openGraphqlServer({
      schema: createSchema(),
      useCases: {
        createSwap,
        watcher,
        watchJobs: createWatchJobs({ store, bus, clock }),
        openReading: (viewer) => createReadJobs(viewer, store, confirmer),
        listTimelines: (jobIds) => store.listTimelines(jobIds),
        now: () => clock.now(),
      },
      viewer: localViewer,
      graphiql: config.graphiql && { exampleImages },
      onUnexpectedError,
      random,
    })
    closers.add(async () => {
      doors.shut()
      stopping.abort()
      await graphql.close()
      await server.close()
    })

    const reconciler = openReconciler({ store, confirmer, applyReport, breaker, hooks, background, telemetry, clock })
    closers.add(() => reconciler.close())
    background.run('run the queue', () => runQueue({ submitter, room, telemetry, stopping: stopping.signal }))

    const isReady = async () => {
      await store.ping()
      return true
    }
    const hook = createHookDoor(hooks)
    const { graphiql } = config
    const page = createPageDoor({ publicUrl, upstreamUrl, embedded: embedded !== null, graphiql, portraits })
    doors.open(createRouter({ graphql: graphql.handle, hook, page, isReady, onUnexpectedError }), graphql.upgrade)

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

interface StorageParts {
  readonly config: Config
  readonly postgresUrl: string | null
  readonly telemetry: Telemetry
  readonly background: Background
  readonly clock: Clock
  readonly stopping: AbortSignal
  readonly onClose: (close: () => Promise<void>) => void
}

/** What is kept and shared: in a file for one process, in PostgreSQL for many. */
async function openStorage(parts: StorageParts): Promise<{ store: JobStore; bus: EventBus; pacer: Pacer }> {
  const { config, postgresUrl, telemetry, background, clock, stopping, onClose } = parts
  const { databaseQueried, backgroundFailed: onFailure } = telemetry
  if (postgresUrl === null) {
    const engine = await openSqlite(config.databasePath ?? '', databaseQueried)
    onClose(() => engine.db.destroy())
    return { store: createJobStore(engine), bus: createMemoryBus(), pacer: createPacer(config.fetchPerSecond, clock) }
  }
  // Loaded only where it is used.
  const [{ openDatabase }, { createSharedPacer }, { openPostgresBus }] = await Promise.all([
    import('./store/postgres/open.ts'),
    import('./store/postgres/pacer.ts'),
    import('./bus/postgres.ts'),
  ])
  const engine = await openDatabase(postgresUrl, databaseQueried, (error) => onFailure('keep a connection', error))
  onClose(() => engine.db.destroy())
  const store = createJobStore(engine)
  const { listPlaces } = store
  return {
    store,
    bus: openPostgresBus({ url: postgresUrl, listPlaces, background, clock, stopping, onFailure }),
    pacer: createSharedPacer(engine.db, config.fetchPerSecond, clock),
  }
}

/** Starts the embedded upstream; the gateway reaches it over HTTP like any other. */
async function openEmbedded(
  config: Config,
  secrets: Secrets,
  publicUrl: string,
  log: NonNullable<SwapFaceOptions['log']>,
  onClose: (close: () => Promise<void>) => void,
): Promise<{ readonly url: string; readonly portraits: readonly { readonly name: string; readonly url: string }[] }> {
  // Loaded only where it is used: a gateway in front of the real upstream carries no engine.
  const [{ openSwapFace }, { openSwapEngine, SwapRefusal }, { PORTRAIT_NAMES }] = await Promise.all([
    import('./swapface/swapface.ts'),
    import('./swapface/engine/engine.ts'),
    import('./swapface/portraits.ts'),
  ])
  const engine = openSwapEngine({ modelsDir: config.modelsDir })
  onClose(() => engine.close())
  await engine.ready().catch((error: unknown) => {
    throw error instanceof SwapRefusal ? new SettingError('SWAPFACE_MODELS_DIR', `is set. ${error.message}`) : error
  })
  const embedded = await openSwapFace({
    host: '127.0.0.1',
    port: config.localUpstreamPort,
    apiKey: secrets.upstreamKey,
    dataDir: config.dataDir,
    // Its hooks come to us, wherever we are.
    allowedPrivateHosts: [...config.allowedPrivateHosts, new URL(publicUrl).host],
    engine,
    log,
  })
  onClose(() => embedded.close())
  const { url } = embedded
  return { url, portraits: PORTRAIT_NAMES.map((name) => ({ name, url: `${url}/portraits/${name}.jpg` })) }
}

type Upgrade = Awaited<ReturnType<typeof openGraphqlServer>>['upgrade']

const shutRoute: RequestListener = (request, response) => {
  // A process that starts or drains is alive: whoever watches over it must not end it for that.
  if (readPath(request) === '/healthz') sendJson(response, 200, { status: 'alive' })
  else sendError(response, 503, 'UNAVAILABLE', 'Not ready. Try again in a moment.')
}
const shutUpgrade: Upgrade = (_request, socket) => {
  socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
}

/** The front of the house while it is being opened and closed: 503 instead of a closed port. */
function createDoors() {
  let route = shutRoute
  let upgrade = shutUpgrade
  return {
    route: ((request, response) => route(request, response)) satisfies RequestListener,
    upgrade: ((request, socket, head) => upgrade(request, socket, head)) satisfies Upgrade,
    open: (openRoute: RequestListener, openUpgrade: Upgrade) => {
      route = openRoute
      upgrade = openUpgrade
    },
    shut: () => {
      route = shutRoute
      upgrade = shutUpgrade
    },
  }
}
