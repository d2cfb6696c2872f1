/**
 * The graph behind its three doors: Yoga for plain HTTP, and streams over SSE and over WebSocket. All run the same
 * pipeline, so that parsing, validation, context and masking are the same on every road.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { GraphQLSchema } from 'graphql'
import { createYoga, type YogaServerOptions } from 'graphql-yoga'
import type { Viewer } from '../auth/viewer.ts'
import { REPEAT_AFTER_MS } from '../jobs/feed.ts'
import { createWheel } from '../lib/wheel.ts'
import { type Context, createContext, type UseCases } from './context.ts'
import { createErrorMask } from './errors.ts'
import { openEventStreamDoor, wantsEventStream } from './event-stream.ts'
import { createLiveOperations } from './live-operations.ts'
import { createPrepareOperation } from './operations.ts'
import { useRequestErrorStatus } from './plugins/use-request-error-status.ts'
import { openWebSocketDoor } from './web-socket.ts'

export const GRAPHQL_PATH = '/graphql'

const MAX_BODY_BYTES = 256 * 1024

/** Two addresses for the document that GraphiQL opens with. */
interface ExampleImages {
  readonly targetImage: string
  readonly swapImage: string
}

export interface GraphqlServerParts {
  readonly schema: GraphQLSchema
  readonly useCases: UseCases
  readonly viewer: Viewer
  /** What browsers are given at the GraphQL path: the GraphiQL page, or nothing. */
  readonly graphiql: { readonly exampleImages: ExampleImages } | false
  readonly onUnexpectedError: (error: unknown) => void
  /** In [0, 1): spreads what is done at intervals. */
  readonly random: () => number
}

export interface GraphqlServer {
  /** Answers GraphQL over HTTP (POST, GET for queries) and SSE. */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>
  /** Takes a WebSocket upgrade. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Ends streams and sockets, spread over seconds, so that their clients come back so. */
  close(): Promise<void>
}

export async function openGraphqlServer(parts: GraphqlServerParts): Promise<GraphqlServer> {
  const { schema, useCases, viewer, onUnexpectedError, random } = parts
  const { now } = useCases
  const maskError = createErrorMask(onUnexpectedError)
  const yoga = createYoga<object, Context>({
    schema,
    graphqlEndpoint: GRAPHQL_PATH,
    // There is no request where the operation came over a stream.
    context: ({ request, idempotencyKey }: { request?: Request; idempotencyKey?: string | null }) =>
      createContext(useCases, viewer, request?.headers.get('idempotency-key') ?? idempotencyKey ?? null),
    maskedErrors: { maskError, isDev: false },
    cors: false,
    batching: false,
    maxRequestBodySize: MAX_BODY_BYTES,
    multipart: false,
    landingPage: false,
    logging: false,
    plugins: [useRequestErrorStatus()],
    ...(await graphiqlOptions(parts.graphiql)),
  })

  const prepare = createPrepareOperation(yoga, useCases, maskError)
  const repeats = createWheel(REPEAT_AFTER_MS, random)
  const live = createLiveOperations({ repeats, maskError, onUnexpectedError })
  const eventStreams = openEventStreamDoor({ viewer, maxBodyBytes: MAX_BODY_BYTES, prepare, live, now })
  const webSockets = openWebSocketDoor({ viewer, prepare, live, onUnexpectedError, now, random })
  return {
    handle: async (request, response) =>
      wantsEventStream(request) ? eventStreams.handle(request, response) : yoga(request, response),
    upgrade: webSockets.upgrade,
    close: async () => {
      await Promise.all([eventStreams.close(), webSockets.close()])
      repeats.close()
    },
  }
}

async function graphiqlOptions(
  graphiql: GraphqlServerParts['graphiql'],
): Promise<Pick<YogaServerOptions<object, Context>, 'graphiql' | 'renderGraphiQL'>> {
  if (!graphiql) return { graphiql: false }
  // Megabytes of page that only this one address needs.
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql')
  const defaultQuery = writeExample(graphiql.exampleImages)
  return { graphiql: { title: 'swapface-gateway', defaultQuery, subscriptionsProtocol: 'WS' }, renderGraphiQL }
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
