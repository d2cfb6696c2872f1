/**
 * Lower limit of subscriptions over WebSocket: a bare `ws` server without GraphQL that sends given bytes. It handles
 * the handshake messages, so that all contenders have the same clients.
 */
import { WebSocketServer } from 'ws'
import { listen } from '../../http/listen.mjs'
import { createPushServer, createWatchers } from './push-server.mjs'

const AS_TEXT = { binary: false }
const BETWEEN_MESSAGES = '\n'

/** @type {ReturnType<typeof createWatchers<{ socket: import('ws').WebSocket, line: import('node:net').Socket }>>} */
const watchers = createWatchers()

const server = createPushServer((job, bytes) => {
  const messages = bytes
    .toString('latin1')
    .split(BETWEEN_MESSAGES)
    .map((message) => Buffer.from(message, 'latin1'))
  for (const { socket, line } of watchers.take(job)) {
    // Corked, so that all frames go in one write.
    line.cork()
    for (const message of messages) socket.send(message, AS_TEXT)
    line.uncork()
  }
})

new WebSocketServer({ server, perMessageDeflate: false }).on('connection', (socket, { socket: line }) => {
  const self = { socket, line }
  let watched = ''
  socket.on('message', (/** @type {Buffer} */ data) => {
    const { type, id, payload } = JSON.parse(data.toString('utf8'))
    if (type === 'connection_init') return socket.send('{"type":"connection_ack"}')
    watched = payload.variables.id
    watchers.add(watched, self)
    socket.send(JSON.stringify({ type: 'next', id, payload: {} }))
  })
  socket.on('close', () => watchers.remove(watched, self))
})
listen(server)
