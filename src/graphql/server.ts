/**
 * The graph behind its two doors: Yoga for HTTP and SSE, graphql-ws for WebSocket. Both run the same pipeline, so that
 * parsing, validation, context and masking are the same on every road.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { type ExecutionArgs, GraphQLError, type GraphQLSchema } from 'graphql'
import { createYoga, type YogaServerOptions } from 'graphql-yoga'
import type { Viewer } from '../auth/viewer.ts'
import { type Context, createContext, type UseCases } from './context.ts'
import { createErrorMask } from './errors.ts'
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
}

export interface GraphqlServer {
  /** Answers GraphQL over HTTP (POST, GET for queries) and SSE. */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>
  /** Takes a WebSocket upgrade. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Ends the WebSocket connections. */
  close(): Promise<void>
}

export async function openGraphqlServer(parts: GraphqlServerParts): Promise<GraphqlServer> {
  const { schema, useCases, viewer, onUnexpectedError } = parts
  const maskError = createErrorMask(onUnexpectedError)
  const yoga = createYoga<object, Context>({
    schema,
    graphqlEndpoint: GRAPHQL_PATH,
    // There is no request where the operation came over a WebSocket.
    context: ({ request }: { request?: Request }) =>
      createContext(useCases, viewer, request?.headers.get('idempotency-key') ?? null),
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

  const door = openWebSocketDoor(
    {
      execute: (args) => readPipeline(args).execute(args),
      subscribe: (args) => readPipeline(args).subscribe(args),
      onSubscribe: async (_connection, _id, params) => {
        try {
          const enveloped = yoga.getEnveloped({ params })
          const document = enveloped.parse(params.query)
          const errors = enveloped.validate(enveloped.schema, document)
          if (errors.length > 0) return errors
          return {
            schema: enveloped.schema,
            operationName: params.operationName,
            document,
            variableValues: params.variables,
            contextValue: await enveloped.contextFactory(),
            rootValue: { execute: enveloped.execute, subscribe: enveloped.subscribe } satisfies Pipeline,
          }
        } catch (error) {
          const masked = maskError(error)
          return [masked instanceof GraphQLError ? masked : new GraphQLError('Unexpected error.')]
        }
      },
    },
    onUnexpectedError,
  )
  return { handle: async (request, response) => yoga(request, response), upgrade: door.upgrade, close: door.close }
}

type Enveloped = ReturnType<ReturnType<typeof createYoga>['getEnveloped']>

/** How one operation is run, as Yoga has wrapped it; travels through graphql-ws as the root value. */
type Pipeline = Pick<Enveloped, 'execute' | 'subscribe'>

function readPipeline(args: ExecutionArgs): Pipeline {
  // Set in `onSubscribe`, and by nobody else.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return args.rootValue as Pipeline
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
