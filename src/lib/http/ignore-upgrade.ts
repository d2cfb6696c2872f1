import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'

/** Headers of the Upgrade mechanism: Upgrade itself, and the settings of the h2c upgrade (RFC 7540, 3.2). */
const UPGRADE_HEADERS: ReadonlySet<string> = new Set(['upgrade', 'http2-settings'])

/** Returns whether a request's Upgrade header lists WebSocket, possibly among others. */
export function asksForWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.split(',').some((protocol) => protocol.trim().toLowerCase() === 'websocket') === true
}

/**
 * Ignores an offer to upgrade to a protocol other than WebSocket and serves the request as plain HTTP (RFC 9110, 7.8).
 * Java's HTTP client and `curl --http2` offer h2c with ordinary requests. Node detaches its parser from a connection
 * that offers an upgrade, so the request is written again without the offer and parsed a second time.
 */
export function ignoreUpgrade(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  if (socket.destroyed) return
  const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`]
  const { rawHeaders } = request
  for (let n = 0; n < rawHeaders.length; n += 2) {
    const [name = '', value = ''] = [rawHeaders[n], rawHeaders[n + 1]]
    if (UPGRADE_HEADERS.has(name.toLowerCase())) continue
    lines.push(`${name}: ${name.toLowerCase() === 'connection' ? withoutUpgrade(value) : value}`)
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]))
  server.emit('connection', socket)
}

function withoutUpgrade(connection: string): string {
  const options = connection.split(',').map((option) => option.trim())
  return options
    .filter((option) => option.toLowerCase() !== 'upgrade' && !UPGRADE_HEADERS.has(option.toLowerCase()))
    .join(', ')
}
