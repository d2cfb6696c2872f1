/** Real clients from npm: each watches one job and reports its events. */
import { ApolloClient, gql, InMemoryCache } from '@apollo/client/core/index.js'
import { GraphQLWsLink } from '@apollo/client/link/subscriptions/index.js'
import { cacheExchange, Client as UrqlClient, fetchExchange, subscriptionExchange } from '@urql/core'
import { createClient as createSseClient } from 'graphql-sse'
import { createClient as createWsClient, type Sink as WsSink } from 'graphql-ws'
import { Network, Observable } from 'relay-runtime'
import { WebSocket } from 'ws'
import { closeAfterTest } from '../support/close-after-test.ts'

export const WATCH = `subscription Watch($id: ID!) {
  swapJobUpdated(id: $id) { id status version done }
}`

/** An observed state of a job. */
export interface Seen {
  readonly id: string
  readonly status: string
  readonly version: number
  readonly done: boolean
}

/** Receives the events of a client, and the end of the stream. */
export interface Watcher {
  readonly next: (job: Seen) => void
  readonly error: (error: unknown) => void
  readonly complete: () => void
}

/** The sink of a client library for graphql-ws; the libraries type the same result differently. */
type Sink = WsSink<{ readonly data?: Record<string, unknown> | null }>

export type Watch = (url: string, id: string, watcher: Watcher) => void

/** Reconnects without backoff for as long as a restart may take; the clients' own delays grow to minutes. */
const RETRY_ATTEMPTS = 100
const pauseBeforeRetry = async () => new Promise<void>((resolve) => void setTimeout(resolve, 50))

function openWsClient(url: string) {
  // Node before 22 has no global WebSocket.
  const client = createWsClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: RETRY_ATTEMPTS,
    retryWait: pauseBeforeRetry,
    // By default the client stops retrying after the first refused connection.
    shouldRetry: () => true,
  })
  closeAfterTest(() => client.dispose())
  return client
}

interface Result {
  readonly data?: unknown
  readonly errors?: unknown
}

/** Passes a result to the observer, whatever its type in the client. */
function pass({ next, error }: Watcher) {
  return ({ data, errors }: Result) => {
    if (errors) error(errors)
    // The document selects exactly these fields.
    else next((data as { readonly swapJobUpdated: Seen }).swapJobUpdated)
  }
}

export const CLIENTS: Readonly<Record<string, Watch>> = {
  'graphql-ws': (url, id, watcher) => {
    openWsClient(url).subscribe({ query: WATCH, variables: { id } }, { ...watcher, next: pass(watcher) })
  },

  'graphql-sse': (url, id, watcher) => {
    const client = createSseClient({
      url: `${url}/graphql`,
      retryAttempts: RETRY_ATTEMPTS,
      retry: pauseBeforeRetry,
    })
    closeAfterTest(() => client.dispose())
    client.subscribe({ query: WATCH, variables: { id } }, { ...watcher, next: pass(watcher) })
  },

  urql: (url, id, watcher) => {
    const client = openWsClient(url)
    const urql = new UrqlClient({
      url: `${url}/graphql`,
      preferGetMethod: false,
      exchanges: [
        cacheExchange,
        fetchExchange,
        subscriptionExchange({
          forwardSubscription: ({ query = '', variables }) => ({
            subscribe: (sink) => ({
              unsubscribe: client.subscribe({ query, variables }, sink as Sink),
            }),
          }),
        }),
      ],
    })
    const { unsubscribe } = urql.subscription(WATCH, { id }).subscribe((result) => {
      if (result.error) watcher.error(result.error)
      // The end repeats the last result.
      else if (!result.hasNext) watcher.complete()
      else pass(watcher)(result)
    })
    closeAfterTest(unsubscribe)
  },

  'Apollo Client': (url, id, watcher) => {
    const client = new ApolloClient({ cache: new InMemoryCache(), link: new GraphQLWsLink(openWsClient(url)) })
    closeAfterTest(() => client.stop())
    client
      .subscribe({ query: gql(WATCH), variables: { id } })
      .subscribe({ ...watcher, next: (result) => (result.error ? watcher.error(result.error) : pass(watcher)(result)) })
  },

  "Relay's network layer": (url, id, watcher) => {
    const client = openWsClient(url)
    const network = Network.create(
      () => {
        throw new TypeError('nothing is fetched here')
      },
      ({ text }, variables) =>
        Observable.create((sink) => client.subscribe({ query: text ?? '', variables }, sink as Sink)),
    )
    const request = {
      cacheID: 'watch',
      id: null,
      text: WATCH,
      name: 'Watch',
      operationKind: 'subscription',
      metadata: {},
    }
    const { unsubscribe } = network
      .execute(request as Parameters<typeof network.execute>[0], { id }, {})
      .subscribe({ ...watcher, error: watcher.error, next: (result) => pass(watcher)(result as Result) })
    closeAfterTest(unsubscribe)
  },
}
