/**
 * One connection of the `graphql-transport-ws` protocol, the server's side.
 *
 *   opened → connection_init → acknowledged → subscribe … complete → closed
 *
 * Close codes after which clients do not reconnect, because it would fail again: 4400 invalid message, 4401 subscribe
 * before the acknowledgement, 4408 no connection_init in time, 4409 id in use, 4429 second connection_init. Codes after
 * which they reconnect: 1012 the gateway stops, 1013 too many sockets or messages, or too much unread, 4403 credential
 * invalid, expired or revoked. Close reasons are fixed sentences.
 */
import type { Duplex } from 'node:stream'
import type { GraphQLError } from 'graphql'
import { CloseCode, type Message, MessageType, parseMessage } from 'graphql-ws'
import type { WebSocket } from 'ws'
import { type Authenticate, type Credentials, mayServeMany, type Viewer } from '../../auth/viewer.ts'
import type { Counts } from '../../lib/counts.ts'
import { encodeTextFrame, toAsciiJson } from '../../lib/http/web-socket-frame.ts'
import type { TimerWheel, WheelTimer } from '../../lib/time/timer-wheel.ts'
import type { RequestLimiter } from '../../limits/limiter.ts'
import type { OperationSpan, TraceCarrier, Tracing } from '../../telemetry/tracing.ts'
import { formatError, formatResult } from '../operation/errors.ts'
import { type OperationParams, toParams } from '../operation/params.ts'
import type { PrepareOperation } from '../operation/prepare-operation.ts'
import type { RecordOperation } from '../operation/record-operation.ts'
import { RequestError } from '../operation/request-error.ts'
import { countRequest } from '../schema/caller.ts'
import { whenOver } from './expiry.ts'
import type { LiveOperation, LiveOperations, Sink } from './live-operations.ts'

const CONNECTION_INIT_WAIT_MS = 3_000
/** "Try Again Later": clients reconnect automatically. */
const TRY_AGAIN_LATER = 1013

export interface WebSocketLimits {
  readonly maxFrameBytes: number
  /** Concurrent operations on one socket of an API key or a JWT: a federation router has one for all its users. */
  readonly maxOperations: number
  /** The same for a watch token, for a loopback caller without a credential, and before `connection_init`. */
  readonly maxOperationsOfOne: number
  /** Messages per second, for each operation that the socket may run. */
  readonly messagesPerOperation: number
  /** Bytes buffered for a client that does not read them. */
  readonly maxUnsentBytes: number
  readonly maxSocketsPerTenant: number
}

export const WEB_SOCKET_LIMITS: WebSocketLimits = {
  maxFrameBytes: 64 * 1024,
  maxOperations: 5_000,
  maxOperationsOfOne: 50,
  messagesPerOperation: 5,
  maxUnsentBytes: 1024 * 1024,
  maxSocketsPerTenant: 20_000,
}

export interface ConnectionParts {
  readonly authenticate: Authenticate
  readonly limiter: RequestLimiter
  readonly prepare: PrepareOperation
  readonly live: LiveOperations
  readonly record: RecordOperation
  /** Null if traces are off. */
  readonly tracing: Pick<Tracing, 'startOperation'> | null
  readonly onUnexpectedError: (error: unknown, requestId: string) => void
  /** Called with each connection that has authenticated. */
  readonly markAuthenticated: (connection: Duplex) => void
  /** Epoch milliseconds. */
  readonly now: () => number
  readonly limits: WebSocketLimits
  /** Sends pings at intervals. */
  readonly pings: Pick<TimerWheel, 'add'>
  /** Open sockets by tenant. */
  readonly socketsOf: Counts
}

/** What the request that opened the WebSocket carried. */
export interface Handshake {
  readonly credentials: Credentials
  readonly requestId: string
}

/** A requested operation; `live` is set once it is a running subscription. */
interface Running {
  live: LiveOperation | null
}

type SubscribeMessage = Extract<Message, { type: MessageType.Subscribe }>

export class Connection {
  readonly #parts: ConnectionParts
  readonly #webSocket: WebSocket
  readonly #stream: Duplex
  /** From the handshake's headers. */
  readonly #headerCredentials: Credentials
  readonly #requestId: string
  /** By the ids that the client chose. */
  readonly #running = new Map<string, Running>()
  readonly #initTimer: NodeJS.Timeout
  readonly #ping: WheelTimer
  #viewer: Viewer | null = null
  #hasInit = false
  /** The payload of `connection_init`, if it holds a trace context. */
  #traceCarrier: TraceCarrier = NO_CARRIER
  #stopExpiry: (() => void) | null = null
  /** Whether the last ping was answered. */
  #isAnswering = true
  /** The second of the last message (epoch seconds), and the messages received within it. */
  #second = 0
  #messages = 0

  /** @param stream the transport of the socket; events are written to it directly, as encoded frames. */
  constructor(parts: ConnectionParts, webSocket: WebSocket, stream: Duplex, handshake: Handshake) {
    this.#parts = parts
    this.#webSocket = webSocket
    this.#stream = stream
    this.#headerCredentials = handshake.credentials
    this.#requestId = handshake.requestId
    this.#initTimer = setTimeout(
      () => this.#close(CloseCode.ConnectionInitialisationTimeout, 'Connection initialisation timeout'),
      CONNECTION_INIT_WAIT_MS,
    )
    this.#ping = parts.pings.add(() => this.#sendPing())
    // `ws` passes one Buffer, because `binaryType` has its default.
    webSocket.on('message', (data: Buffer) => this.#receive(data))
    webSocket.on('ping', () => this.#isFlooding())
    webSocket.on('pong', () => {
      this.#isAnswering = true
    })
    stream.on('drain', () => {
      for (const { live } of this.#running.values()) live?.resume()
    })
    // `ws` closes the socket itself, with the right code, after an invalid frame.
    webSocket.on('error', () => undefined)
    webSocket.once('close', () => this.#end())
  }

  #close(code: number, reason: string): void {
    this.#webSocket.close(code, reason)
  }

  #isOpen(): boolean {
    return this.#webSocket.readyState === this.#webSocket.OPEN
  }

  #end(): void {
    if (this.#viewer) this.#parts.socketsOf.add(this.#viewer.tenant, -1)
    clearTimeout(this.#initTimer)
    this.#stopExpiry?.()
    this.#ping.stop()
    for (const { live } of this.#running.values()) live?.close()
    this.#running.clear()
  }

  #sendPing(): void {
    if (!this.#isAnswering) this.#webSocket.terminate()
    this.#isAnswering = false
    if (this.#isOpen()) this.#webSocket.ping()
  }

  #receive(data: Buffer): void {
    // Messages that arrive while the socket closes are not read.
    if (!this.#isOpen() || this.#isFlooding()) return
    this.#handle(data.toString('utf8')).catch((error: unknown) => {
      this.#parts.onUnexpectedError(error, this.#requestId)
      this.#close(CloseCode.InternalServerError, 'Internal server error')
    })
  }

  async #handle(text: string): Promise<void> {
    let message: Message
    try {
      message = parseMessage(text)
    } catch {
      return this.#close(CloseCode.BadRequest, 'Invalid message')
    }
    switch (message.type) {
      case MessageType.ConnectionInit:
        if (this.#hasInit)
          return this.#close(CloseCode.TooManyInitialisationRequests, 'Too many initialisation requests')
        this.#hasInit = true
        return this.#acknowledge(message.payload ?? {})
      case MessageType.Ping:
        return this.#send({ type: MessageType.Pong })
      case MessageType.Subscribe:
        if (!this.#viewer) return this.#close(CloseCode.Unauthorized, 'Unauthorized')
        if (this.#running.has(message.id))
          return this.#close(CloseCode.SubscriberAlreadyExists, 'Subscriber already exists')
        if (this.#running.size >= this.#maxOperations()) return this.#refuseOperation(message.id)
        return this.#traceSubscribe(this.#viewer, message)
      case MessageType.Complete:
        this.#running.get(message.id)?.live?.close()
        this.#running.delete(message.id)
        return
      case MessageType.Pong:
        return
      case MessageType.ConnectionAck:
      case MessageType.Next:
      case MessageType.Error:
        // Only a server sends these.
        return this.#close(CloseCode.BadRequest, 'Invalid message')
    }
  }

  async #acknowledge(payload: Record<string, unknown>): Promise<void> {
    const { authenticate, markAuthenticated, socketsOf, limits, now } = this.#parts
    const viewer = await authenticate(readInitCredentials(payload, this.#headerCredentials))
    clearTimeout(this.#initTimer)
    if (!this.#isOpen()) return
    if (!viewer) return this.#close(CloseCode.Forbidden, 'Forbidden')
    this.#viewer = viewer
    this.#traceCarrier = toTraceCarrier(payload, NO_CARRIER)
    markAuthenticated(this.#stream)
    if (socketsOf.add(viewer.tenant, 1) > limits.maxSocketsPerTenant)
      return this.#close(TRY_AGAIN_LATER, 'Too many connections')
    this.#stopExpiry = whenOver(viewer, now, () => this.#close(CloseCode.Forbidden, 'Forbidden'))
    this.#send({ type: MessageType.ConnectionAck })
  }

  async #traceSubscribe(viewer: Viewer, message: SubscribeMessage): Promise<void> {
    const carrier = toTraceCarrier(message.payload.extensions, this.#traceCarrier)
    const span = this.#parts.tracing?.startOperation('websocket', carrier)
    return span ? span.run(async () => this.#subscribe(viewer, message, span)) : this.#subscribe(viewer, message, null)
  }

  async #subscribe(viewer: Viewer, { id, payload }: SubscribeMessage, span: OperationSpan | null): Promise<void> {
    const { limiter, prepare, live, record } = this.#parts
    const startedAt = performance.now()
    const own: Running = { live: null }
    this.#running.set(id, own)
    /** False once the client has completed the operation or disconnected. */
    const isWanted = () => this.#running.get(id) === own
    const params = parsePayload(payload)
    if (params instanceof RequestError) {
      record('websocket', null, false, startedAt)
      return this.#close(CloseCode.BadRequest, params.message)
    }
    const operation = await prepare(await countRequest(viewer, limiter, this.#requestId), params, null, span)
    if (!isWanted()) return
    if ('errors' in operation) {
      record('websocket', null, false, startedAt)
      return this.#fail(id, operation.errors)
    }
    if (operation.type !== 'subscription') {
      const result = await operation.execute()
      record('websocket', operation, result.errors === undefined, startedAt)
      if (!isWanted()) return
      this.#running.delete(id)
      this.#send({ id, type: MessageType.Next, payload: formatResult(result) })
      this.#send({ id, type: MessageType.Complete })
      return
    }
    const onFirst = () => record('websocket', operation, true, startedAt)
    const started = await live.start(operation, this.#createSink(id), onFirst)
    if ('errors' in started) {
      record('websocket', operation, false, startedAt)
      if (isWanted()) this.#fail(id, started.errors)
    } else if (isWanted()) own.live = started
    else started.close()
  }

  #createSink(id: string): Sink {
    const suffix = `,"id":${toAsciiJson(id)}}`
    return {
      transport: 'websocket',
      isReady: () => this.#isOpen() && !this.#stream.writableNeedDrain,
      next: (payload) => this.#write(encodeTextFrame(NEXT_PREFIX, payload, suffix)),
      last: (payload) => {
        this.#running.delete(id)
        const end = encodeTextFrame('{"type":"complete"', NOTHING, suffix)
        this.#write(payload ? Buffer.concat([encodeTextFrame(NEXT_PREFIX, payload, suffix), end]) : end)
      },
    }
  }

  #fail(id: string, errors: readonly GraphQLError[]): void {
    this.#running.delete(id)
    this.#send({ id, type: MessageType.Error, payload: errors.map(formatError) })
  }

  #refuseOperation(id: string): void {
    this.#parts.record('websocket', null, false, performance.now())
    const message = `At most ${this.#maxOperations()} operations run on one connection at one time. Complete one first, or open another connection.`
    this.#send({ id, type: MessageType.Error, payload: [{ message, extensions: { code: 'TOO_MANY_OPERATIONS' } }] })
  }

  #send(message: object): void {
    if (!this.#isOpen()) return
    if (this.#stream.writableLength > this.#parts.limits.maxUnsentBytes)
      this.#close(TRY_AGAIN_LATER, 'Too much is waiting to be read')
    else this.#webSocket.send(JSON.stringify(message))
  }

  #write(frames: Buffer): void {
    if (this.#isOpen()) this.#stream.write(frames)
  }

  #maxOperations(): number {
    const { maxOperations, maxOperationsOfOne } = this.#parts.limits
    const mayRunMany = this.#viewer !== null && mayServeMany(this.#viewer)
    return mayRunMany ? maxOperations : Math.min(maxOperations, maxOperationsOfOne)
  }

  /** Counts a message or a ping of the client; closes the connection if there are too many. */
  #isFlooding(): boolean {
    const { now, limits } = this.#parts
    const second = Math.floor(now() / 1_000)
    this.#messages = second === this.#second ? this.#messages + 1 : 1
    this.#second = second
    if (this.#messages <= this.#maxOperations() * limits.messagesPerOperation) return false
    this.#close(TRY_AGAIN_LATER, 'Too many messages')
    return true
  }
}

/**
 * Reads the credentials from `connection_init`, because browsers cannot set headers on a WebSocket. The scheme is
 * optional. The handshake's headers replace an absent credential.
 */
function readInitCredentials(payload: Readonly<Record<string, unknown>>, shown: Credentials): Credentials {
  const read = (...names: readonly string[]) =>
    names.map((name) => payload[name]).find((value): value is string => typeof value === 'string')
  const token = read('authorization', 'Authorization')
  return {
    authorization: token === undefined ? shown.authorization : token.includes(' ') ? token : `Bearer ${token}`,
    apiKey: read('x-api-key', 'X-API-Key') ?? shown.apiKey,
  }
}

function parsePayload(payload: unknown): OperationParams | RequestError {
  try {
    return toParams(payload)
  } catch (error) {
    if (error instanceof RequestError) return error
    throw error
  }
}

const NO_CARRIER: TraceCarrier = {}

/** Reads the two members of a message that carry a trace context; returns `otherwise` if it has none. */
function toTraceCarrier(payload: TraceCarrier | null | undefined, otherwise: TraceCarrier): TraceCarrier {
  const { traceparent, tracestate } = payload ?? {}
  return typeof traceparent === 'string' ? { traceparent, tracestate } : otherwise
}

const NOTHING = Buffer.alloc(0)
const NEXT_PREFIX = '{"type":"next","payload":'
