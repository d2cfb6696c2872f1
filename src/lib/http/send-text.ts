import type { ServerResponse } from 'node:http'

/** In one write: of a text whose length is not known head and body go apart. */
export function sendText(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, ['content-type', type, 'content-length', String(Buffer.byteLength(text))])
  response.end(text)
}
