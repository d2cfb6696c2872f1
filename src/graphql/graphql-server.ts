/**
 * GraphQL over HTTP, SSE and WebSocket. Every transport prepares operations the same way (`prepare-operation.ts`), so
 * parsing, validation, limits and masking are equal. Yoga is the engine; its HTTP layer serves GraphiQL only.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { DocumentNode, GraphQLSchema } from 'graphql'
import { createLRUCache, createYoga, type YogaServerOptions } from 'graphql-yoga'
import type { Authenticate } from '../auth/viewer.ts'
import { REPEAT_AFTER_MS } from '../jobs/feed.ts'
import type { ResponseWithDefaults } from '../lib/http/response-with-defaults.ts'
import { createTimerWheel } from '../lib/time/timer-wheel.ts'
import type { RequestLimiter } from '../limits/limiter.ts'
import type { Telemetry } from '../telemetry/events.ts'
import type { Tracing } from '../telemetry/tracing.ts'
import type { Context, UseCases } from './schema/context.ts'
import { createErrorMask } from './operation/errors.ts'
import { openEventStreamHandler } from './realtime/event-stream.ts'
import { createGraphqlHandler, type GraphqlHandler } from './http/graphql-handler.ts'
import { LiveOperations } from './realtime/live-operations.ts'
import { createFastPath } from './fast-path/fast-path.ts'
import { createCostLimits } from './operation/cost-limits.ts'
import { createOperationScheduler } from './operation/operation-scheduler.ts'
import { createPrepareOperation, findValidDocument } from './operation/prepare-operation.ts'
import { createRecordOperation } from './operation/record-operation.ts'
import { useDocumentLimits } from './plugins/use-document-limits.ts'
import { useSchemaSecrecy } from './plugins/use-schema-secrecy.ts'
import { createFindDocument } from './operation/trusted-documents.ts'
import { WEB_SOCKET_LIMITS } from './realtime/web-socket-connection.ts'
import { openWebSocketHandler } from './realtime/web-socket.ts'

export const GRAPHQL_PATH = '/graphql'

/** Maximum number of cached documents, and characters of one. */
const MAX_CACHED_DOCUMENTS = 1_000
const MAX_CACHED_CHARS = 8_000

/** Image URLs in the document that GraphiQL opens with. */
interface ExampleImages {
  readonly targetImage: string
  readonly swapImage: string
}

export interface GraphqlServerParts {
  readonly schema: GraphQLSchema
  readonly useCases: UseCases
  readonly authenticate: Authenticate
  readonly limiter: RequestLimiter
  /** The only documents that may run, by digest; null if any document may. */
  readonly trustedDocuments: ReadonlyMap<string, string> | null
  /** Whether introspection is enabled. */
  readonly introspection: boolean
  /** Options of the GraphiQL page; false if it is not served. */
  readonly graphiql: { readonly exampleImages: ExampleImages } | false
  /** Maximum operations on one WebSocket of an API key or a JWT. */
  readonly maxSocketOperations: number
  readonly onUnexpectedError: (error: unknown, requestId: string | null) => void
  readonly telemetry: Pick<Telemetry, 'operationAnswered' | 'fastPathAnswered' | 'fastPathFellBack' | 'cacheRead'>
  /** Called with each connection that has authenticated; it is then exempt from the timeout. */
  readonly markAuthenticated: (connection: Duplex) => void
  /** Null if traces are off. */
  readonly tracing: Pick<Tracing, 'startOperation'> | null
  /** In [0, 1): spreads timers over their interval. */
  readonly random: () => number
}

export interface GraphqlServer {
  /** Handles GraphQL over HTTP (POST, GET for queries) and SSE. */
  readonly handle: GraphqlHandler
  /** Handles a WebSocket upgrade. @returns the status of the refusal; 101 if the connection will be upgraded. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): number
  /** Counts the running subscriptions by transport, and the WebSocket connections. */
  countLive(): LiveCounts
  /** Closes streams and sockets, spread over up to 5 s, so that clients do not all reconnect at once. */
  close(): Promise<void>
}

export interface LiveCounts {
  readonly subscriptions: Readonly<Record<'sse' | 'websocket', number>>
  readonly webSockets: number
}

export function openGraphqlServer(parts: GraphqlServerParts): GraphqlServer {
  const { schema, useCases, authenticate, limiter, introspection, graphiql, markAuthenticated, tracing, random } = parts
  const { onUnexpectedError, telemetry } = parts
  const { now } = useCases
  const maskError = createErrorMask(onUnexpectedError)
  const documentCache = createDocumentCache()
  const yoga = createYoga<object, Context>({
    schema,
    graphqlEndpoint: GRAPHQL_PATH,
    // Masked where the request is known (`prepare-operation.ts`).
    maskedErrors: false,
    cors: false,
    batching: false,
    parserAndValidationCache: { documentCache, errorCache: createNoCache() },
    multipart: false,
    landingPage: false,
    logging: false,
    plugins: [useDocumentLimits(), ...(introspection ? [] : [useSchemaSecrecy()])],
    ...graphiqlOptions(graphiql),
  })

  const findDocument = createFindDocument(parts.trustedDocuments)
  const scheduler = createOperationScheduler(createCostLimits(schema))
  const hideSuggestions = !introspection
  const prepare = createPrepareOperation({
    engine: yoga,
    useCases,
    findDocument,
    isCached: (text) => {
      const isHit = documentCache.get(text) !== undefined
      telemetry.cacheRead('document', isHit ? 1 : 0, isHit ? 0 : 1)
      return isHit
    },
    scheduler,
    maskError,
    hideSuggestions,
  })
  const fastPath = createFastPath({
    schema,
    useCases,
    scheduler,
    findDocument,
    findValidDocument: (text) => findValidDocument(yoga, text),
    telemetry,
    onUnexpectedError,
  })
  const repeats = createTimerWheel(REPEAT_AFTER_MS, random)
  const live = new LiveOperations({ repeats, maskError, onUnexpectedError })
  const record = createRecordOperation(telemetry, parts.trustedDocuments !== null)
  const eventStreams = openEventStreamHandler({ live, record, now })
  const webSockets = openWebSocketHandler({
    authenticate,
    limiter,
    prepare,
    live,
    record,
    tracing,
    onUnexpectedError,
    markAuthenticated,
    now,
    random,
    limits: { ...WEB_SOCKET_LIMITS, maxOperations: parts.maxSocketOperations },
  })
  return {
    handle: createGraphqlHandler({
      authenticate,
      limiter,
      fastPath,
      prepare,
      eventStreams,
      record,
      sendPage: graphiql === false ? null : createSendPage(yoga),
      markAuthenticated,
      tracing,
      now,
    }),
    upgrade: webSockets.upgrade,
    countLive: () => ({
      subscriptions: { sse: live.count('sse'), websocket: live.count('websocket') },
      webSockets: webSockets.countConnections(),
    }),
    close: async () => {
      await Promise.all([eventStreams.close(), webSockets.close()])
      repeats.close()
    },
  }
}

/** The page loads its own scripts; other pages may not frame it. */
const PAGE_POLICY = "frame-ancestors 'none'; base-uri 'none'; object-src 'none'"

function createSendPage(yoga: (request: IncomingMessage, response: ResponseWithDefaults) => unknown) {
  return (request: IncomingMessage, response: ResponseWithDefaults) => {
    // The page is rendered as for GET; Node omits the body of a HEAD.
    request.method = 'GET'
    response.setHeader('content-security-policy', PAGE_POLICY)
    return yoga(request, response)
  }
}

/** An LRU cache of parsed documents; long ones are not cached. */
function createDocumentCache() {
  const documents = createLRUCache<DocumentNode>({ max: MAX_CACHED_DOCUMENTS })
  return {
    get: (text: string) => documents.get(text),
    set: (text: string, document: DocumentNode) => {
      if (text.length <= MAX_CACHED_CHARS) documents.set(text, document)
    },
  }
}

/** Syntax errors are not cached: a caller could fill the cache with them. */
function createNoCache() {
  return { get: () => undefined, set: () => {} }
}

function graphiqlOptions(
  graphiql: GraphqlServerParts['graphiql'],
): Pick<YogaServerOptions<object, Context>, 'graphiql' | 'renderGraphiQL'> {
  if (!graphiql) return { graphiql: false }
  const defaultQuery = writeExample(graphiql.exampleImages)
  return {
    graphiql: { title: 'swapface-gateway', defaultQuery, subscriptionsProtocol: 'WS' },
    // Imported on first use, because the page has nine megabytes.
    renderGraphiQL: async (options) => (await import('@graphql-yoga/render-graphiql')).renderGraphiQL(options),
  }
}

function writeExample({ targetImage, swapImage }: ExampleImages): string {
  return `# Start a swap, then watch the job with the id you get.
mutation Start {
  createSwap(
    input: {
      targetImage: { url: "${targetImage}" }
      swapImage: { url: "${swapImage}" }
    }
  ) {
    ... on CreateSwapSuccess { job { id status } }
    ... on SwapError { code message }
  }
}

subscription Watch($id: ID!) {
  swapJobUpdated(id: $id) { status done result { url } failure { message } }
}
`
}
