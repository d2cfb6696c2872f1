/**
 * The graph behind its three doors: Yoga for plain HTTP, and streams over SSE and over WebSocket. All run the same
 * pipeline, so that parsing, validation, context and masking are the same on every road.
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
import { createAdmission } from './operation/admission.ts'
import { type Context, createContext, type UseCases } from './schema/context.ts'
import { createErrorMask } from './operation/errors.ts'
import { openEventStreamHandler } from './realtime/event-stream.ts'
import { type Admitted, createGraphqlHandler } from './http/graphql-handler.ts'
import { createLiveOperations } from './realtime/live-operations.ts'
import { createFastPath, type FastPath } from './fast-path/fast-path.ts'
import { createCostLimits } from './operation/cost-limits.ts'
import { createOperationScheduler } from './operation/operation-scheduler.ts'
import { createPrepareOperation } from './operation/prepare-operation.ts'
import { useBudget } from './plugins/use-budget.ts'
import { useFastPath } from './plugins/use-fast-path.ts'
import { useDocumentLimits } from './plugins/use-document-limits.ts'
import { useOperationScheduler } from './plugins/use-operation-scheduler.ts'
import { useSchemaSecrecy } from './plugins/use-schema-secrecy.ts'
import { createFindDocument } from './operation/trusted-documents.ts'
import { useRequestErrorStatus } from './plugins/use-request-error-status.ts'
import { useSubscriptionRefusal } from './plugins/use-subscription-refusal.ts'
import { openWebSocketHandler, WEB_SOCKET_LIMITS } from './realtime/web-socket.ts'

export const GRAPHQL_PATH = '/graphql'

/** Documents that are kept parsed, and how long one may be. */
const MAX_KEPT_DOCUMENTS = 1_000
const MAX_KEPT_CHARS = 8_000

/** Two addresses for the document that GraphiQL opens with. */
interface ExampleImages {
  readonly targetImage: string
  readonly swapImage: string
}

export interface GraphqlServerParts {
  readonly schema: GraphQLSchema
  readonly useCases: UseCases
  readonly authenticate: Authenticate
  readonly limiter: RequestLimiter
  /** The only documents that run, by their digest; null: any. */
  readonly trustedDocuments: ReadonlyMap<string, string> | null
  /** Whether the schema may be asked for. */
  readonly introspection: boolean
  /** What browsers are given at the GraphQL path: the GraphiQL page, or nothing. */
  readonly graphiql: { readonly exampleImages: ExampleImages } | false
  /** Operations on one socket of an API key or a JWT. */
  readonly maxSocketOperations: number
  readonly onUnexpectedError: (error: unknown) => void
  /** Hears which connections are of somebody who is known. */
  readonly markAuthenticated: (connection: Duplex) => void
  /** In [0, 1): spreads what is done at intervals. */
  readonly random: () => number
}

export interface GraphqlServer {
  /** Answers GraphQL over HTTP (POST, GET for queries) and SSE. */
  readonly handle: (request: IncomingMessage, response: ResponseWithDefaults) => Promise<void>
  /** Takes a WebSocket upgrade. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Ends streams and sockets, spread over seconds, so that their clients come back so. */
  close(): Promise<void>
}

/** What a context is made of: what was admitted, and what the request or its stream said besides. */
interface ContextParts extends Admitted {
  readonly request?: Request
  readonly idempotencyKey?: string | null
}

export function openGraphqlServer(parts: GraphqlServerParts): GraphqlServer {
  const { schema, authenticate, limiter, introspection, graphiql, onUnexpectedError, markAuthenticated, random } = parts
  const scheduler = createOperationScheduler(createCostLimits(schema))
  const fastPath = createFastPath(schema, parts.useCases, scheduler)
  const useCases: UseCases = { ...parts.useCases, forgetter: forgetKept(parts.useCases.forgetter, fastPath) }
  const { now } = useCases
  const maskError = createErrorMask(onUnexpectedError)
  const yoga = createYoga<Admitted, Context>({
    schema,
    graphqlEndpoint: GRAPHQL_PATH,
    // There is no request where the operation came over a stream.
    context: ({ caller, useCases: begun, request, idempotencyKey }: ContextParts) =>
      createContext(
        begun ?? useCases,
        caller,
        request?.headers.get('idempotency-key') ?? idempotencyKey ?? null,
        scheduler,
      ),
    maskedErrors: { maskError, isDev: false },
    cors: false,
    batching: false,
    // The front door has read it, under a limit.
    maxRequestBodySize: false,
    parserAndValidationCache: { documentCache: createDocumentCache(), errorCache: createNoCache() },
    multipart: false,
    landingPage: false,
    logging: false,
    plugins: [
      useDocumentLimits(),
      ...(introspection ? [] : [useSchemaSecrecy()]),
      useBudget(),
      useOperationScheduler(scheduler),
      useSubscriptionRefusal(),
      useFastPath(fastPath),
      useRequestErrorStatus(),
    ],
    ...graphiqlOptions(graphiql),
  })

  const findDocument = createFindDocument(parts.trustedDocuments)
  const prepare = createPrepareOperation({
    yoga,
    useCases,
    findDocument,
    scheduler,
    maskError,
    hideSuggestions: !introspection,
  })
  const repeats = createTimerWheel(REPEAT_AFTER_MS, random)
  const live = createLiveOperations({ repeats, maskError, onUnexpectedError })
  const admission = createAdmission(authenticate, limiter)
  const eventStreams = openEventStreamHandler({ prepare, live, now })
  const webSockets = openWebSocketHandler({
    admission,
    prepare,
    live,
    onUnexpectedError,
    markAuthenticated,
    now,
    random,
    limits: { ...WEB_SOCKET_LIMITS, maxOperations: parts.maxSocketOperations },
  })
  return {
    handle: createGraphqlHandler({
      admission,
      findDocument,
      eventStreams,
      fastPath,
      scheduler,
      yoga,
      markAuthenticated,
      hasPage: graphiql !== false,
      now,
    }),
    upgrade: webSockets.upgrade,
    close: async () => {
      await Promise.all([eventStreams.close(), webSockets.close()])
      repeats.close()
    },
  }
}

/** What was erased is in no answer that is kept. */
function forgetKept({ forget }: UseCases['forgetter'], fastPath: Pick<FastPath, 'forget'>): UseCases['forgetter'] {
  return {
    forget: async (...args) => {
      try {
        return await forget(...args)
      } finally {
        fastPath.forget()
      }
    },
  }
}

/** The documents that are asked for again and again: many short ones. */
function createDocumentCache() {
  const documents = createLRUCache<DocumentNode>({ max: MAX_KEPT_DOCUMENTS })
  return {
    get: (text: string) => documents.get(text),
    set: (text: string, document: DocumentNode) => {
      if (text.length <= MAX_KEPT_CHARS) documents.set(text, document)
    },
  }
}

/** What is refused is not kept: whoever sends it decides how much there is of it. */
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
    // Nine megabytes of page, loaded when a browser asks for it.
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
