import type { Authenticate } from '../auth/viewer.ts'
import { readTrustedDocuments } from '../config/trusted-documents-file.ts'
import { type GraphqlServer, openGraphqlServer } from '../graphql/graphql-server.ts'
import { createSchema } from '../graphql/schema/schema.ts'
import { printStandaloneSdl } from '../graphql/schema/sdl.ts'
import { createHookHandler } from '../http/hook.ts'
import { createPageHandler } from '../http/page.ts'
import { createRequestChecks } from '../http/request-checks.ts'
import { createRestHandler } from '../http/rest.ts'
import { createRouter } from '../http/router.ts'
import { createSchemaFile } from '../http/schema-file.ts'
import type { HttpServer } from './http-server.ts'
import type { JobsStage } from './open-jobs.ts'
import type { Storage } from './open-storage.ts'
import type { UpstreamStage } from './open-upstream.ts'
import type { Runtime } from './runtime.ts'
import type { StartupHandlers } from './startup-handlers.ts'

/** Everything that takes requests: GraphQL, hooks, images, the REST API and the page. */
export interface EntryPointsStage {
  readonly countLive: GraphqlServer['countLive']
  /** /readyz responds with 503 from now on, so that load balancers send no more requests. All requests are served. */
  drain(): Promise<void>
  /** Refuses new requests with 503, and ends streams. Requests in progress continue. */
  close(): Promise<void>
}

export interface EntryPointsParts {
  readonly runtime: Runtime
  readonly storage: Pick<Storage, 'store' | 'limiter'>
  readonly upstream: Pick<UpstreamStage, 'url' | 'embedded'>
  readonly jobs: Pick<JobsStage, 'useCases' | 'hooks' | 'images'>
  readonly authenticate: Authenticate
  readonly publicUrl: string
  /** Two images for the document that GraphiQL opens with. */
  readonly exampleImages: { readonly targetImage: string; readonly swapImage: string }
  readonly markAuthenticated: HttpServer['markAuthenticated']
  /** They respond with 503 until this stage is open. */
  readonly handlers: StartupHandlers
}

export function openEntryPointsStage(parts: EntryPointsParts): EntryPointsStage {
  const { runtime, storage, upstream, jobs, authenticate, publicUrl, exampleImages, markAuthenticated, handlers } =
    parts
  const { config, telemetry, tracing, clock, random } = runtime
  const { limiter, store } = storage
  const { useCases } = jobs
  const onUnexpectedError = telemetry.requestErred

  const schema = createSchema()
  const graphql = openGraphqlServer({
    schema,
    useCases,
    authenticate,
    limiter,
    trustedDocuments: readTrustedDocuments(config.trustedDocumentsPath),
    introspection: config.introspection,
    maxSocketOperations: config.maxSocketOperations,
    graphiql: config.graphiql && { exampleImages },
    onUnexpectedError,
    telemetry,
    markAuthenticated,
    tracing,
    random,
  })
  const { createSwap, openReading, findImages, addressOfImage } = useCases
  const restParts = { authenticate, limiter, markAuthenticated, createSwap, openReading, findImages, addressOfImage }
  const { graphiql, allowedOrigins, checksHost } = config
  const { url: upstreamUrl, embedded } = upstream
  const portraits = embedded?.portraits ?? []
  const isOpen = !config.authenticates
  const onRefused = telemetry.originRefused
  const checks = createRequestChecks({ publicUrl, allowedOrigins, checksHost, isOpen, onRefused })
  let isDraining = false
  const route = createRouter({
    checks,
    graphql: graphql.handle,
    hook: createHookHandler(jobs.hooks, tracing),
    page: createPageHandler({ publicUrl, upstreamUrl, embedded: embedded !== null, graphiql, portraits }),
    schemaFile: createSchemaFile(config.introspection ? () => printStandaloneSdl(schema) : null),
    rest: config.servesRest ? createRestHandler({ ...restParts, tracing, clock }) : null,
    ...jobs.images.handlers,
    isReady: async () => store.ping().then(() => !isDraining),
    onUnexpectedError,
  })
  handlers.open({ route, refuseUpgrade: checks.refuseUpgrade, upgrade: graphql.upgrade })

  return {
    countLive: graphql.countLive,
    drain: async () => {
      isDraining = true
      if (config.drainReadyMs > 0) await clock.delay(config.drainReadyMs)
    },
    close: async () => {
      handlers.shut()
      await graphql.close()
    },
  }
}
