import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { GraphqlServer } from '../graphql/graphql-server.ts'
import type { Offence } from '../http/request-checks.ts'
import { sendError } from '../http/respond.ts'
import type { Route } from '../http/router.ts'
import { type Clock, systemClock } from '../lib/time/clock.ts'
import { asksForWebSocket, ignoreUpgrade } from '../lib/http/ignore-upgrade.ts'
import { refuseUpgrade } from '../lib/http/refuse-upgrade.ts'
import { ResponseWithDefaults } from '../lib/http/response-with-defaults.ts'
import { normaliseTarget, readPath } from '../lib/http/request-head.ts'

/**
 * What slow and broken peers may take: the head of a request, all of it (what is held open, waitMs and streams, is an
 * answer and not counted), silence between two requests, and all they send before they show who they are.
 */
const PATIENCE = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  // Longer than proxies keep theirs (60 s): who closes first must not be who is being written to.
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 2_000,
  maxHeaderSize: 16 * 1024,
} as const
const MAX_CONNECTIONS = 50_000
/** How long a connection may last over which nobody has shown who he is. */
const UNAUTHENTICATED_MS = 60_000
/** How long requests under way may take to end once the server closes: a submit takes up to 30 s, and is recorded. */
const DRAIN_MS = 35_000

export interface HttpServer {
  /** Says that whoever is at the other end of a connection is known: it may last. */
  markAuthenticated(connection: Duplex): void
  /** The port that was asked for, or the one that was free. */
  readonly port: number
  /** Takes no new connection, cuts streams, lets requests end, then ends what is left. May be called again. */
  close(): Promise<void>
}

/** Listens for HTTP and WebSocket. @throws when the address cannot be had. */
export async function listen(
  address: { readonly host: string; readonly port: number },
  route: Route,
  webSockets: {
    readonly path: string
    /** Why a WebSocket must not be opened; null if it may. */
    readonly refuseUpgrade: (request: IncomingMessage) => Offence | null
    readonly upgrade: GraphqlServer['upgrade']
  },
  unauthenticatedMs: number = UNAUTHENTICATED_MS,
  clock: Pick<Clock, 'after'> = systemClock,
): Promise<HttpServer> {
  let closing = false
  const unauthenticated = createUnauthenticatedConnections(unauthenticatedMs)
  const underWay = new Set<ServerResponse>()
  const endWhenQuiet = () => {
    if (closing && underWay.size === 0) server.closeAllConnections()
  }
  const server = createServer({ ...PATIENCE, ServerResponse: ResponseWithDefaults }, (request, response) => {
    underWay.add(response)
    // A client that goes on using its connection would not notice that it must find another process.
    if (closing) response.shouldKeepAlive = false
    const leave = unauthenticated.trackRequest(request.socket)
    response.once('close', () => {
      leave()
      underWay.delete(response)
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
      // Answers to requests that came before it on this connection go first.
      let last: ServerResponse | null = null
      for (const response of underWay) if (response.req.socket === socket) last = response
      if (last) last.once('close', serve)
      else serve()
      return
    }
    const offence = findOffence(request)
    if (offence) refuseUpgrade(socket, offence.status, { error: { code: offence.code, message: offence.message } })
    else webSockets.upgrade(request, socket, head)
  })
  const findOffence = (request: IncomingMessage) => {
    if (!normaliseTarget(request)) return BAD_HOST
    return readPath(request) === webSockets.path ? webSockets.refuseUpgrade(request) : NOT_FOUND
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(address.port, address.host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const bound = server.address()
  return {
    markAuthenticated: unauthenticated.markAuthenticated,
    port: typeof bound === 'object' && bound ? bound.port : address.port,
    close: async () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
      closing = true
      // An answer is worth waiting for; a stream ends only with its job, and its client comes back by itself.
      for (const response of underWay) {
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

/** Connections over which nobody has shown who he is: ended after a while, but not in the middle of an answer. */
function createUnauthenticatedConnections(afterMs: number) {
  interface UnauthenticatedConnection {
    readonly timer: NodeJS.Timeout
    underWay: number
    isOver: boolean
  }
  const unauthenticated = new WeakMap<Duplex, UnauthenticatedConnection>()
  return {
    add: (connection: Duplex): void => {
      // A connection whose offer of another protocol was ignored is announced twice.
      if (unauthenticated.has(connection)) return
      const end = () => {
        connectionState.isOver = true
        if (connectionState.underWay === 0) connection.destroy()
      }
      const connectionState: UnauthenticatedConnection = {
        timer: setTimeout(end, afterMs).unref(),
        underWay: 0,
        isOver: false,
      }
      unauthenticated.set(connection, connectionState)
      connection.once('close', () => clearTimeout(connectionState.timer))
    },
    markAuthenticated: (connection: Duplex): void => {
      clearTimeout(unauthenticated.get(connection)?.timer)
      unauthenticated.delete(connection)
    },
    /** While a request of it is answered. */
    trackRequest: (connection: Duplex): (() => void) => {
      const connectionState = unauthenticated.get(connection)
      if (!connectionState) return () => undefined
      connectionState.underWay += 1
      return () => {
        connectionState.underWay -= 1
        if (connectionState.isOver && connectionState.underWay === 0 && unauthenticated.has(connection))
          connection.destroy()
      }
    },
  }
}

/** Begun and not ended: all that is no stream is written at once. */
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
