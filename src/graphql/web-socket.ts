/**
 * GraphQL over WebSocket: graphql-ws speaks the protocol, this file owns the sockets. A client's broken frame or
 * broken document ends at most its own socket, and close reasons never carry an error's text.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { CloseCode, GRAPHQL_TRANSPORT_WS_PROTOCOL, makeServer, type ServerOptions } from 'graphql-ws'
import { type WebSocket, WebSocketServer } from 'ws'

const MAX_FRAME_BYTES = 64 * 1024
const CONNECTION_INIT_WAIT_MS = 3_000
const PING_EVERY_MS = 12_000
const CLOSE_GRACE_MS = 1_000
/** "Service Restart": clients connect again by themselves. */
const RESTARTING = 1012

export interface WebSocketDoor {
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Asks every client to come back later, and ends the sockets of those that do not answer. */
  close(): Promise<void>
}

export function openWebSocketDoor(
  options: Omit<ServerOptions, 'connectionInitWaitTimeout'>,
  onUnexpectedError: (error: unknown) => void,
): WebSocketDoor {
  const protocol = makeServer({ ...options, connectionInitWaitTimeout: CONNECTION_INIT_WAIT_MS })
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_FRAME_BYTES,
    perMessageDeflate: false,
    handleProtocols: (offered) => offered.has(GRAPHQL_TRANSPORT_WS_PROTOCOL) && GRAPHQL_TRANSPORT_WS_PROTOCOL,
  })

  sockets.on('connection', (socket: WebSocket) => {
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        send: (data) =>
          new Promise((resolve, reject) => {
            if (socket.readyState !== socket.OPEN) resolve()
            else socket.send(data, (error) => (error ? reject(error) : resolve()))
          }),
        close: (code, reason) => socket.close(code, reason),
        onMessage: (take) => {
          socket.on('message', (data: Buffer) => {
            take(data.toString('utf8')).catch((error: unknown) => {
              onUnexpectedError(error)
              socket.close(CloseCode.InternalServerError, 'Internal server error')
            })
          })
        },
      },
      {},
    )
    const stopPinging = keepAlive(socket)
    // The socket closes itself, with the code that fits, after a frame it cannot take.
    socket.on('error', stopPinging)
    socket.once('close', (code, reason) => {
      stopPinging()
      closed(code, reason.toString('utf8')).catch(onUnexpectedError)
    })
  })

  return {
    upgrade: (request, socket, head) => {
      sockets.handleUpgrade(request, socket, head, (webSocket) => sockets.emit('connection', webSocket, request))
    },
    close: async () => {
      for (const socket of sockets.clients) socket.close(RESTARTING, 'Service Restart')
      const grace = setTimeout(() => {
        for (const socket of sockets.clients) socket.terminate()
      }, CLOSE_GRACE_MS)
      await new Promise<void>((resolve) => {
        sockets.close(() => resolve())
      })
      clearTimeout(grace)
    },
  }
}

/** Pings the client, and ends the socket of one that leaves a ping unanswered until the next. */
function keepAlive(socket: WebSocket): () => void {
  let answered = true
  socket.on('pong', () => {
    answered = true
  })
  const timer = setInterval(() => {
    if (!answered) socket.terminate()
    answered = false
    if (socket.readyState === socket.OPEN) socket.ping()
  }, PING_EVERY_MS)
  return () => clearInterval(timer)
}
