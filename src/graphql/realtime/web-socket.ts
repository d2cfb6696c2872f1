/**
 * GraphQL over WebSocket: handles upgrades, and opens a `Connection` for each. An invalid frame or document closes at
 * most the client's own socket.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { GRAPHQL_TRANSPORT_WS_PROTOCOL } from 'graphql-ws'
import { WebSocketServer } from 'ws'
import { readCredentials } from '../../auth/viewer.ts'
import { closeSpread } from '../../lib/async/close-spread.ts'
import { createTickQueue } from '../../lib/async/tick-queue.ts'
import { createCounts } from '../../lib/counts.ts'
import { refuseUpgrade } from '../../lib/http/refuse-upgrade.ts'
import { createRequestIds } from '../../lib/http/request-id.ts'
import { createTimerWheel } from '../../lib/time/timer-wheel.ts'
import { Connection, type ConnectionParts } from './web-socket-connection.ts'

const PING_EVERY_MS = 12_000
const CLOSE_GRACE_MS = 1_000
/** After a restart thousands of clients reconnect at once. */
const UPGRADES_PER_TICK = 20
/** "Service Restart": clients reconnect automatically. */
const RESTARTING = 1012

export interface WebSocketHandlerParts extends Omit<ConnectionParts, 'pings' | 'socketsOf'> {
  /** In [0, 1). */
  readonly random: () => number
}

export interface WebSocketHandler {
  /** @returns the status of the refusal; 101 if the connection will be upgraded. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): number
  countConnections(): number
  /** Closes all sockets, spread over up to 5 s, then terminates those whose clients do not respond within a second. */
  close(): Promise<void>
}

export function openWebSocketHandler({ random, ...parts }: WebSocketHandlerParts): WebSocketHandler {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: parts.limits.maxFrameBytes,
    perMessageDeflate: false,
    handleProtocols: () => GRAPHQL_TRANSPORT_WS_PROTOCOL,
  })
  const requestIdOf = createRequestIds()
  const pings = createTimerWheel(PING_EVERY_MS, random)
  const enqueue = createTickQueue(UPGRADES_PER_TICK)
  const connectionParts = { ...parts, pings, socketsOf: createCounts() }

  return {
    upgrade: (request, socket, head) => {
      const refusal = findProtocolRefusal(request)
      if (refusal !== null) {
        refuseUpgrade(socket, 400, { errors: [refusal] })
        return 400
      }
      const handshake = { credentials: readCredentials(request), requestId: requestIdOf(request) }
      enqueue(() =>
        sockets.handleUpgrade(
          request,
          socket,
          head,
          (webSocket) => new Connection(connectionParts, webSocket, socket, handshake),
        ),
      )
      return 101
    },
    countConnections: () => sockets.clients.size,
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

/** The subprotocol of the legacy package subscriptions-transport-ws. */
const OLD_PROTOCOL = 'graphql-ws'

/** The error for a handshake that does not offer `graphql-transport-ws`; null if it does. */
function findProtocolRefusal({ headers }: IncomingMessage) {
  const offered = headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? []
  if (offered.includes(GRAPHQL_TRANSPORT_WS_PROTOCOL)) return null
  const message = offered.includes(OLD_PROTOCOL)
    ? `The subprotocol ${OLD_PROTOCOL} of subscriptions-transport-ws is not supported. Offer ${GRAPHQL_TRANSPORT_WS_PROTOCOL} (npm package graphql-ws).`
    : `Offer the WebSocket subprotocol ${GRAPHQL_TRANSPORT_WS_PROTOCOL}.`
  return { message, extensions: { code: 'SUBPROTOCOL_NOT_SUPPORTED' } }
}
