/**
 * The SSE and WebSocket handlers on their own port, over a schema with one subscription whose feed the test controls:
 * for behaviour that a whole gateway shows only after half a minute, or not at all.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { buildSchema } from 'graphql'
import { createYoga } from 'graphql-yoga'
import { WebSocket } from 'ws'
import { localViewer } from '../../src/auth/authenticate.ts'
import type { Viewer } from '../../src/auth/viewer.ts'
import type { Context, UseCases } from '../../src/graphql/schema/context.ts'
import { createErrorMask } from '../../src/graphql/operation/errors.ts'
import { openEventStreamHandler } from '../../src/graphql/realtime/event-stream.ts'
import { createGraphqlHandler } from '../../src/graphql/http/graphql-handler.ts'
import { LiveOperations } from '../../src/graphql/realtime/live-operations.ts'
import { createCostLimits } from '../../src/graphql/operation/cost-limits.ts'
import { createOperationScheduler } from '../../src/graphql/operation/operation-scheduler.ts'
import { createPrepareOperation } from '../../src/graphql/operation/prepare-operation.ts'
import { createRecordOperation } from '../../src/graphql/operation/record-operation.ts'
import { createFindDocument } from '../../src/graphql/operation/trusted-documents.ts'
import { WEB_SOCKET_LIMITS, type WebSocketLimits } from '../../src/graphql/realtime/web-socket-connection.ts'
import { openWebSocketHandler } from '../../src/graphql/realtime/web-socket.ts'
import { createFeedSource } from '../../src/jobs/feed.ts'
import { ResponseWithDefaults } from '../../src/lib/http/response-with-defaults.ts'
import { createTimerWheel } from '../../src/lib/time/timer-wheel.ts'
import { createRequestLimiter } from '../../src/limits/request-limiter.ts'
import { silentTelemetry } from '../../src/telemetry/combine.ts'
import { closeAfterTest } from './close-after-test.ts'

/** The watched value: each subscriber gets the newest state. */
export interface Watched {
  value: { readonly text: string; readonly version: number; readonly last?: boolean }
  /** If set, reads throw it. */
  failure: Error | null
  /** Number of reads that returned an event. */
  readonly given: number
  /** Number of executed events. */
  readonly executed: number
  set(value: Watched['value']): void
}

export interface LiveStageOptions {
  readonly viewer?: Viewer
  readonly limits?: Partial<WebSocketLimits>
  readonly repeatAfterMs?: number
  /** Epoch milliseconds. Default: the system clock. */
  readonly now?: () => number
}

export async function openLiveStage(options: LiveStageOptions = {}) {
  const { viewer = localViewer, limits = {}, repeatAfterMs = 30_000, now: tellTime = Date.now } = options
  const subscribers = new Set<() => void>()
  let given = 0
  let executed = 0
  const watched: Watched = {
    value: { text: 'first', version: 1 },
    failure: null,
    get given() {
      return given
    },
    get executed() {
      return executed
    },
    set: (value) => {
      watched.value = value
      for (const notify of subscribers) notify()
    },
  }
  const source = createFeedSource((notify) => {
    subscribers.add(notify)
    let shown = 0
    let isOver = false
    return {
      read: async () => {
        if (watched.failure) throw watched.failure
        if (watched.value.version <= shown) return null
        shown = watched.value.version
        isOver = watched.value.last ?? false
        given += 1
        return watched.value
      },
      repeat: () => {
        shown -= 1
      },
      isOver: () => isOver,
      close: () => subscribers.delete(notify),
    }
  })
  const schema = buildSchema(
    'type Query { now: String! big(size: Int!): String! } type Subscription { watched(tag: String): Watched! } type Watched { text: String! version: Int! }',
  )
  const { now, big } = schema.getQueryType()?.getFields() ?? {}
  if (now) now.resolve = () => 'now'
  if (big) big.resolve = (_root: unknown, { size }: { size: number }) => 'x'.repeat(size)
  const field = schema.getSubscriptionType()?.getFields()['watched']
  if (!field) throw new TypeError('the schema has the field')
  field.subscribe = () => source
  field.resolve = (event: unknown) => {
    executed += 1
    return event
  }
  const errors: unknown[] = []
  const onUnexpectedError = (error: unknown) => errors.push(error)
  const maskError = createErrorMask(onUnexpectedError)
  const scheduler = createOperationScheduler(createCostLimits(schema))
  // No resolver of this schema calls a use case.
  const prepare = createPrepareOperation({
    engine: createYoga<object, Context>({ schema, logging: false }),
    useCases: {} as UseCases,
    findDocument: createFindDocument(null),
    isCached: () => false,
    scheduler,
    maskError,
    hideSuggestions: false,
  })
  const repeats = createTimerWheel(repeatAfterMs, Math.random)
  const live = new LiveOperations({ repeats, maskError, onUnexpectedError })
  const clock = { now: tellTime }
  const record = createRecordOperation(silentTelemetry, false)
  const authenticate = async () => viewer
  const limiter = createRequestLimiter(1_000_000, clock.now)
  const eventStreams = openEventStreamHandler({ live, record, ...clock })
  const handle = createGraphqlHandler({
    authenticate,
    limiter,
    prepare,
    eventStreams,
    record,
    fastPath: { tryAnswer: async () => null },
    markAuthenticated: () => {},
    tracing: null,
    sendPage: null,
    ...clock,
  })
  const webSockets = openWebSocketHandler({
    authenticate,
    limiter,
    prepare,
    live,
    record,
    onUnexpectedError,
    markAuthenticated: () => {},
    tracing: null,
    ...clock,
    random: Math.random,
    limits: { ...WEB_SOCKET_LIMITS, ...limits },
  })
  const lines = new Set<Duplex>()
  const server = createServer({ ServerResponse: ResponseWithDefaults }, (request, response) => {
    handle(request, response).catch(onUnexpectedError)
  }).on('upgrade', (request, line, head) => {
    lines.add(line)
    webSockets.upgrade(request, line, head)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  closeAfterTest(async () => {
    await Promise.all([eventStreams.close(), webSockets.close()])
    repeats.close()
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    watched,
    errors,
    listeners: () => subscribers.size,
    unsentBytes: () => Math.max(0, ...[...lines].map(({ writableLength }) => writableLength)),
  }
}

export interface WireMessage {
  readonly type: string
  readonly id?: string
  readonly payload?: unknown
}

/** Opens a WebSocket for tests that write protocol messages themselves. */
export function connectWire(url: string) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws')
  closeAfterTest(() => socket.terminate())
  const messages: WireMessage[] = []
  socket.on('message', (data: Buffer) => messages.push(JSON.parse(data.toString()) as WireMessage))
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }))
  })
  const send = (message: object) => socket.send(JSON.stringify(message))
  const opened = once(socket, 'open')
  const acknowledged = once(socket, 'message')
  // A refused socket is never acknowledged.
  acknowledged.catch(() => null)
  return {
    socket,
    messages,
    acknowledged,
    closed,
    send,
    opened,
    subscribe: (id: string, query: string) => send({ type: 'subscribe', id, payload: { query } }),
    init: async () => {
      await opened
      send({ type: 'connection_init' })
      await acknowledged
    },
  }
}
