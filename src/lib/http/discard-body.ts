import type { IncomingMessage } from 'node:http'

/** More than a well-behaved client sends by mistake. Requests also have a total time limit. */
const MAX_DISCARDED_BYTES = 32 * 1024 * 1024

/**
 * Reads and discards the rest of a request's body, so that a response sent before its end reaches the client: closing
 * a connection with unread bytes resets it, and the client loses the response (RFC 9112, 9.6). Beyond 32 MiB the
 * connection is closed.
 */
export function discardBody(request: IncomingMessage): void {
  if (request.complete) return
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.byteLength
    if (bytes > MAX_DISCARDED_BYTES) request.destroy()
  })
  request.resume()
}
