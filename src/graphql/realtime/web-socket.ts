/**
 * GraphQL over WebSocket, the server's side of the `graphql-transport-ws` protocol: connection_init, subscribe and
 * complete, and what they may cost. A client's broken frame or broken document ends at most its own socket, and close
 * reasons are fixed sentences.
 *
 *   opened → connection_init → acknowledged → subscribe … complete → closed
 *
 * Closed with a code after which clients do not come back (it would go wrong again): 4400 not a message, 4401 subscribe
 * before the acknowledgement, 4408 no connection_init in time, 4409 an id twice, 4429 connection_init twice. With one
 * after which they do: 1012 the gateway stops, 1013 too many sockets or messages, or a client that does not read what it
 * asks for, 4403 the credential is not valid, or not any more. An exceeded limit always leads to one of these.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { CloseCode, GRAPHQL_TRANSPORT_WS_PROTOCOL, type Message, MessageType, parseMessage } from 'graphql-ws'
import { type WebSocket, WebSocketServer } from 'ws'
import { type Authenticate, type Credentials, mayServeMany, readCredentials, type Viewer } from '../../auth/viewer.ts'
import { closeSpread } from '../../lib/async/close-spread.ts'
import { encodeTextFrame } from '../../lib/http/web-socket-frame.ts'
import { createTickQueue } from '../../lib/async/tick-queue.ts'
import { createTimerWheel } from '../../lib/time/timer-wheel.ts'
import { createCounts } from '../../lib/counts.ts'
import { refuseUpgrade } from '../../lib/http/refuse-upgrade.ts'
import type { RequestLimiter } from '../../limits/limiter.ts'
import { countRequest } from '../schema/caller.ts'
import { withoutHttp, withoutHttpInErrors } from '../operation/errors.ts'
import { whenOver } from './expiry.ts'
import type { LiveOperation, LiveOperations, Sink } from './live-operations.ts'
import type { PrepareOperation } from '../operation/prepare-operation.ts'
import { type OperationParams, toParams } from '../operation/params.ts'
import { RequestError } from '../operation/request-error.ts'

const CONNECTION_INIT_WAIT_MS = 3_000
const PING_EVERY_MS = 12_000
const CLOSE_GRACE_MS = 1_000
/** After a restart thousands come back at once. */
const UPGRADES_PER_TICK = 20
/** "Service Restart" and "Try Again Later": clients connect again by themselves. */
const RESTARTING = 1012
const TRY_AGAIN_LATER = 1013

export interface WebSocketLimits {
  readonly maxFrameBytes: number
  /** Operations that run at one time on one socket of an API key or a JWT: a federation router has one for all its users. */
  readonly maxOperations: number
  /** The same for a watch token, for a loopback caller without a credential, and before `connection_init`. */
  readonly maxOperationsOfOne: number
  /** A second, for each operation that the socket may run. */
  readonly messagesPerOperation: number
  /** What a client leaves unread. */
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

export interface WebSocketHandlerParts {
  readonly authenticate: Authenticate
  readonly limiter: RequestLimiter
  readonly prepare: PrepareOperation
  readonly live: LiveOperations
  readonly onUnexpectedError: (error: unknown) => void
  /** Hears which connections are of somebody who is known. */
  readonly markAuthenticated: (connection: Duplex) => void
  /** Epoch milliseconds. */
  readonly now: () => number
  readonly random: () => number
  readonly limits?: WebSocketLimits
}

export interface WebSocketHandler {
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Asks every client to come back later, one after the other, and ends the sockets of those that do not answer. */
  close(): Promise<void>
}

/** One operation that was asked for; `live` once it is a running subscription. */
interface Running {
  live: LiveOperation | null
}

type SubscribeMessage = Extract<Message, { type: MessageType.Subscribe }>

export function openWebSocketHandler(parts: WebSocketHandlerParts): WebSocketHandler {
  const {
    authenticate,
    limiter,
    prepare,
    live,
    onUnexpectedError,
    markAuthenticated,
    now,
    random,
    limits = WEB_SOCKET_LIMITS,
  } = parts
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: limits.maxFrameBytes,
    perMessageDeflate: false,
    handleProtocols: () => GRAPHQL_TRANSPORT_WS_PROTOCOL,
  })
  const pings = createTimerWheel(PING_EVERY_MS, random)
  const inTurn = createTickQueue(UPGRADES_PER_TICK)
  const socketsOf = createCounts()

  const connect = (webSocket: WebSocket, line: Duplex, shown: Credentials) => {
    const running = new Map<string, Running>()
    let viewer: Viewer | null = null
    let isInitialised = false
    let stopWaiting: (() => void) | null = null
    let isAnswering = true
    let second = 0
    let messages = 0

    const close = (code: number, reason: string) => webSocket.close(code, reason)

    const send = (message: object) => {
      if (webSocket.readyState !== webSocket.OPEN) return
      if (line.writableLength > limits.maxUnsentBytes) close(TRY_AGAIN_LATER, 'Too much is waiting to be read')
      else webSocket.send(JSON.stringify(message))
    }

    const maxOperations = () =>
      viewer && mayServeMany(viewer) ? limits.maxOperations : Math.min(limits.maxOperations, limits.maxOperationsOfOne)

    /** Counts what the client sends, whatever it is. */
    const isFlooding = (): boolean => {
      const thisSecond = Math.floor(now() / 1_000)
      messages = thisSecond === second ? messages + 1 : 1
      second = thisSecond
      if (messages <= maxOperations() * limits.messagesPerOperation) return false
      close(TRY_AGAIN_LATER, 'Too many messages')
      return true
    }

    const isReady = () => webSocket.readyState === webSocket.OPEN && !line.writableNeedDrain

    const write = (frames: Buffer) => {
      if (webSocket.readyState === webSocket.OPEN) line.write(frames)
    }

    const createSink = (id: string): Sink => {
      const suffix = `,"id":${toAscii(id)}}`
      return {
        isReady,
        next: (payload) => write(encodeTextFrame(NEXT_PREFIX, payload, suffix)),
        last: (payload) => {
          running.delete(id)
          const end = encodeTextFrame('{"type":"complete"', NOTHING, suffix)
          write(payload ? Buffer.concat([encodeTextFrame(NEXT_PREFIX, payload, suffix), end]) : end)
        },
      }
    }

    const fail = (id: string, errors: readonly object[]) => {
      running.delete(id)
      send({ id, type: MessageType.Error, payload: errors })
    }

    const subscribe = async (as: Viewer, { id, payload }: SubscribeMessage) => {
      const own: Running = { live: null }
      running.set(id, own)
      /** False once the client has completed it, or has gone. */
      const isWanted = () => running.get(id) === own
      const params = parsePayload(payload)
      if (params instanceof RequestError) return close(CloseCode.BadRequest, params.message)
      const operation = await prepare(await countRequest(as, limiter), params, null)
      if (!isWanted()) return
      if ('errors' in operation) return fail(id, operation.errors.map(withoutHttp))
      if (operation.type !== 'subscription') {
        const result = await operation.execute()
        if (!isWanted()) return
        running.delete(id)
        send({ id, type: MessageType.Next, payload: withoutHttpInErrors(result) })
        send({ id, type: MessageType.Complete })
        return
      }
      const started = await live.start(operation, createSink(id))
      if ('errors' in started) {
        if (isWanted()) fail(id, started.errors)
      } else if (isWanted()) own.live = started
      else started.close()
    }

    const begin = async (payload: Record<string, unknown>) => {
      const found = await authenticate(readInitCredentials(payload, shown))
      clearTimeout(initTimer)
      if (webSocket.readyState !== webSocket.OPEN) return
      if (!found) return close(CloseCode.Forbidden, 'Forbidden')
      viewer = found
      markAuthenticated(line)
      if (socketsOf.add(found.tenant, 1) > limits.maxSocketsPerTenant)
        return close(TRY_AGAIN_LATER, 'Too many connections')
      stopWaiting = whenOver(found, now, () => close(CloseCode.Forbidden, 'Forbidden'))
      send({ type: MessageType.ConnectionAck })
    }

    const take = async (text: string) => {
      let message: Message
      try {
        message = parseMessage(text)
      } catch {
        return close(CloseCode.BadRequest, 'Invalid message')
      }
      switch (message.type) {
        case MessageType.ConnectionInit:
          if (isInitialised) return close(CloseCode.TooManyInitialisationRequests, 'Too many initialisation requests')
          isInitialised = true
          return begin(message.payload ?? {})
        case MessageType.Ping:
          return send({ type: MessageType.Pong })
        case MessageType.Subscribe:
          if (!viewer) return close(CloseCode.Unauthorized, 'Unauthorized')
          if (running.has(message.id)) return close(CloseCode.SubscriberAlreadyExists, 'Subscriber already exists')
          if (running.size >= maxOperations()) {
            const sentence = `At most ${maxOperations()} operations run on one connection at one time. Complete one first, or open another connection.`
            const extensions = { code: 'TOO_MANY_OPERATIONS' }
            return send({ id: message.id, type: MessageType.Error, payload: [{ message: sentence, extensions }] })
          }
          return subscribe(viewer, message)
        case MessageType.Complete:
          running.get(message.id)?.live?.close()
          running.delete(message.id)
          return
        case MessageType.Pong:
          return
        case MessageType.ConnectionAck:
        case MessageType.Next:
        case MessageType.Error:
          // The server's to say.
          return close(CloseCode.BadRequest, 'Invalid message')
      }
    }

    const initTimer = setTimeout(
      close,
      CONNECTION_INIT_WAIT_MS,
      CloseCode.ConnectionInitialisationTimeout,
      'Connection initialisation timeout',
    )
    const pinging = pings.add(() => {
      if (!isAnswering) webSocket.terminate()
      isAnswering = false
      if (webSocket.readyState === webSocket.OPEN) webSocket.ping()
    })

    // One buffer: that is what `ws` gives unless it is told otherwise.
    webSocket.on('message', (data: Buffer) => {
      // What still arrives while the socket closes is not read.
      if (webSocket.readyState !== webSocket.OPEN || isFlooding()) return
      take(data.toString('utf8')).catch((error: unknown) => {
        onUnexpectedError(error)
        close(CloseCode.InternalServerError, 'Internal server error')
      })
    })
    webSocket.on('ping', isFlooding)
    webSocket.on('pong', () => {
      isAnswering = true
    })
    line.on('drain', () => {
      for (const own of running.values()) own.live?.resume()
    })
    // The socket closes itself, with the code that fits, after a frame it cannot take.
    webSocket.on('error', () => undefined)
    webSocket.once('close', () => {
      if (viewer) socketsOf.add(viewer.tenant, -1)
      clearTimeout(initTimer)
      stopWaiting?.()
      pinging.stop()
      for (const own of running.values()) own.live?.close()
      running.clear()
    })
  }

  return {
    upgrade: (request, socket, head) => {
      const refusal = findProtocolRefusal(request)
      if (refusal !== null) return refuseUpgrade(socket, 400, { errors: [refusal] })
      const shown = readCredentials(request)
      inTurn(() => sockets.handleUpgrade(request, socket, head, (webSocket) => connect(webSocket, socket, shown)))
    },
    close: async () => {
      await closeSpread(sockets.clients, (socket) => socket.close(RESTARTING, 'Service Restart'))
      const grace = setTimeout(() => {
        for (const socket of sockets.clients) socket.terminate()
      }, CLOSE_GRACE_MS)
      await new Promise<void>((resolve) => {
        sockets.close(() => resolve())
      })
      clearTimeout(grace)
      pings.close()
    },
  }
}

/** Why the subprotocols that a handshake offers cannot be spoken; null if one of them can. */
function findProtocolRefusal({ headers }: IncomingMessage) {
  const offered = headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? []
  if (offered.includes(GRAPHQL_TRANSPORT_WS_PROTOCOL)) return null
  const message = offered.includes(OLD_PROTOCOL)
    ? `The subprotocol ${OLD_PROTOCOL} of subscriptions-transport-ws is not supported. Offer ${GRAPHQL_TRANSPORT_WS_PROTOCOL} (npm package graphql-ws).`
    : `Offer the WebSocket subprotocol ${GRAPHQL_TRANSPORT_WS_PROTOCOL}.`
  return { message, extensions: { code: 'SUBPROTOCOL_NOT_SUPPORTED' } }
}

/**
 * The credentials in `connection_init`, because browsers cannot set headers on a WebSocket; with or without the scheme.
 * Those of the handshake's headers count if it names none.
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

/** What subscriptions-transport-ws called its protocol. */
const OLD_PROTOCOL = 'graphql-ws'
const NOTHING = Buffer.alloc(0)
const NEXT_PREFIX = '{"type":"next","payload":'

/** JSON of a text, in ASCII alone. */
function toAscii(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[\u0080-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
