import type { ServerResponse } from 'node:http'

/** Sends a text response with its Content-Length, so that Node writes head and body together. */
export function sendText(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, ['content-type', type, 'content-length', String(Buffer.byteLength(text))])
  response.end(text)
}
