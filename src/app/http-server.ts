import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { promisify } from 'node:util'
import type { GraphqlServer } from '../graphql/graphql-server.ts'
import type { Offence } from '../http/request-checks.ts'
import { sendError } from '../http/respond.ts'
import { routeOf, type Route } from '../http/router.ts'
import { type Clock, systemClock } from '../lib/time/clock.ts'
import { asksForWebSocket, ignoreUpgrade } from '../lib/http/ignore-upgrade.ts'
import { listenOn } from '../lib/http/listen-on.ts'
import { refuseUpgrade } from '../lib/http/refuse-upgrade.ts'
import { ResponseWithDefaults } from '../lib/http/response-with-defaults.ts'
import { createRequestIds } from '../lib/http/request-id.ts'
import { normaliseTarget, readPath } from '../lib/http/request-head.ts'
import type { Telemetry } from '../telemetry/events.ts'

/**
 * Limits on slow and broken clients: the time for a request's head, for the whole request (but not for its response,
 * which may be a stream), and between two requests, in milliseconds; and the bytes of a head.
 */
const PATIENCE = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  // Longer than the 60 s of proxies: if the gateway closed first, a proxy might just be sending a request.
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 2_000,
  maxHeaderSize: 16 * 1024,
} as const
const MAX_CONNECTIONS = 50_000
/** Unauthenticated connections are closed after this long. */
const UNAUTHENTICATED_MS = 60_000
/** How long requests in progress may take after the server closes: a submit takes up to 30 s. */
const DRAIN_MS = 35_000

export interface HttpServer {
  /** Exempts an authenticated connection from the timeout of unauthenticated ones. */
  markAuthenticated(connection: Duplex): void
  /** The requested port, or the one that the system chose for port 0. */
  readonly port: number
  /** Counts the open connections, WebSockets included. */
  countConnections(): Promise<number>
  /**
   * Accepts no new connection, cuts streams, waits for requests in progress, then closes the rest. May be called again.
   */
  close(): Promise<void>
}

export interface ListenOptions {
  readonly unauthenticatedMs?: number
  readonly clock?: Pick<Clock, 'after'>
  readonly onAnswered?: Telemetry['requestAnswered']
  readonly onFailed?: Telemetry['requestFailed']
}

/** Listens for HTTP and WebSocket. @throws if the address is not available. */
export async function listen(
  address: { readonly host: string; readonly port: number },
  route: Route,
  webSockets: {
    readonly path: string
    /** Why a WebSocket must not be opened; null if it may. */
    readonly refuseUpgrade: (request: IncomingMessage) => Offence | null
    readonly upgrade: GraphqlServer['upgrade']
  },
  {
    unauthenticatedMs = UNAUTHENTICATED_MS,
    clock = systemClock,
    onAnswered = () => {},
    onFailed = () => {},
  }: ListenOptions = {},
): Promise<HttpServer> {
  let closing = false
  const requestIdOf = createRequestIds()
  const unauthenticated = createUnauthenticatedConnections(unauthenticatedMs)
  const inProgress = new Set<ServerResponse>()
  const endWhenQuiet = () => {
    if (closing && inProgress.size === 0) server.closeAllConnections()
  }
  const server = createServer({ ...PATIENCE, ServerResponse: ResponseWithDefaults }, (request, response) => {
    inProgress.add(response)
    // The client then reconnects, and reaches another process.
    if (closing) response.shouldKeepAlive = false
    const requestId = requestIdOf(request)
    response.requestId = requestId
    response.addDefaults(['x-request-id', requestId])
    const leave = unauthenticated.trackRequest(request.socket)
    response.once('close', () => {
      leave()
      inProgress.delete(response)
      onAnswered(routeOf(readPath(request)), response.headersSent ? response.statusCode : null)
      if (response.headersSent && response.statusCode >= 500)
        onFailed(requestId, request.method ?? '', response.statusCode, response.errorCode)
      endWhenQuiet()
    })
    if (normaliseTarget(request)) route(request, response)
    else sendError(response, 400, BAD_HOST.code, BAD_HOST.message)
  })
  server.maxConnections = MAX_CONNECTIONS
  server.on('connection', unauthenticated.add)
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy())
    if (!asksForWebSocket(request)) {
      const serve = () => ignoreUpgrade(server, request, socket, head)
      // The responses to earlier requests on this connection are sent first.
      let last: ServerResponse | null = null
      for (const response of inProgress) if (response.req.socket === socket) last = response
      if (last) last.once('close', serve)
      else serve()
      return
    }
    const offence = findOffence(request)
    if (offence) refuseUpgrade(socket, offence.status, { error: { code: offence.code, message: offence.message } })
    const status = offence ? offence.status : webSockets.upgrade(request, socket, head)
    onAnswered(routeOf(readPath(request)), status)
  })
  const findOffence = (request: IncomingMessage) => {
    if (!normaliseTarget(request)) return BAD_HOST
    return readPath(request) === webSockets.path ? webSockets.refuseUpgrade(request) : NOT_FOUND
  }
  const port = await listenOn(server, address)
  return {
    markAuthenticated: unauthenticated.markAuthenticated,
    countConnections: promisify(server.getConnections.bind(server)),
    port,
    close: async () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
      closing = true
      // Other responses end soon; a stream ends only with its job, and its client reconnects by itself.
      for (const response of inProgress) {
        if (isStream(response)) response.destroy()
        else response.shouldKeepAlive = false
      }
      endWhenQuiet()
      const cancel = clock.after(DRAIN_MS, () => server.closeAllConnections())
      await closed
      cancel()
    },
  }
}

/** Closes unauthenticated connections after `afterMs`, but not during a request. */
function createUnauthenticatedConnections(afterMs: number) {
  interface UnauthenticatedConnection {
    readonly timer: NodeJS.Timeout
    inProgress: number
    isOver: boolean
  }
  const unauthenticated = new WeakMap<Duplex, UnauthenticatedConnection>()
  return {
    add: (connection: Duplex): void => {
      // Emitted twice for a connection whose upgrade was ignored.
      if (unauthenticated.has(connection)) return
      const end = () => {
        connectionState.isOver = true
        if (connectionState.inProgress === 0) connection.destroy()
      }
      const connectionState: UnauthenticatedConnection = {
        timer: setTimeout(end, afterMs).unref(),
        inProgress: 0,
        isOver: false,
      }
      unauthenticated.set(connection, connectionState)
      connection.once('close', () => clearTimeout(connectionState.timer))
    },
    markAuthenticated: (connection: Duplex): void => {
      clearTimeout(unauthenticated.get(connection)?.timer)
      unauthenticated.delete(connection)
    },
    /** Keeps the connection open during a request: until the returned function is called. */
    trackRequest: (connection: Duplex): (() => void) => {
      const connectionState = unauthenticated.get(connection)
      if (!connectionState) return () => undefined
      connectionState.inProgress += 1
      return () => {
        connectionState.inProgress -= 1
        if (connectionState.isOver && connectionState.inProgress === 0 && unauthenticated.has(connection))
          connection.destroy()
      }
    },
  }
}

/** Whether the response has begun and not ended. Responses other than streams are written at once. */
function isStream(response: ServerResponse): boolean {
  return response.headersSent && !response.writableEnded
}

interface Refusal {
  readonly status: number
  readonly code: string
  readonly message: string
}

const BAD_HOST: Refusal = { status: 400, code: 'BAD_HOST', message: 'Send one Host header, with a host and a port.' }
const NOT_FOUND: Refusal = { status: 404, code: 'NOT_FOUND', message: 'WebSocket connections are served at /graphql.' }
