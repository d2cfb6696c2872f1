/**
 * The limit that the gateway is measured against: a bare `ws` server that knows no GraphQL and sends each socket the
 * bytes it is told to. Started as a process of its own; `POST /send?to=n` sends the body to socket n, `to=all` to all.
 */
import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'

/** @type {import('ws').WebSocket[]} */
const sockets = []
const server = createServer((request, response) => {
  /** @type {Buffer[]} */
  const chunks = []
  request.on('data', (chunk) => chunks.push(chunk))
  request.on('end', () => {
    const text = Buffer.concat(chunks).toString('utf8')
    const to = new URL(request.url ?? '', 'http://peer').searchParams.get('to')
    response.end()
    if (to === 'all') for (const socket of sockets) socket.send(text)
    else sockets[Number(to)]?.send(text)
  })
})
new WebSocketServer({ server, perMessageDeflate: false }).on('connection', (socket) => {
  const place = sockets.push(socket) - 1
  // What a subscriber sends first; answered with its place, as the gateway answers with an acknowledgement.
  socket.on('message', () => socket.send(String(place)))
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object' && address) process.stdout.write(`http://127.0.0.1:${address.port}\n`)
})
