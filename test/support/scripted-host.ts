import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

import { until } from './until.ts'

export interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export interface ScriptedHost {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  /** `127.0.0.1:<port>`, for an allow-list. */
  readonly host: string
  /** All complete requests so far. */
  readonly requests: readonly SeenRequest[]
  close(): Promise<void>
}

/** Opens a real HTTP server on loopback whose responses the script writes. If it writes none, the request hangs. */
export async function openScriptedHost(
  script: (request: SeenRequest, response: ServerResponse) => void,
): Promise<ScriptedHost> {
  const requests: SeenRequest[] = []
  const server: Server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (chunk: string) => {
      body += chunk
    })
    request.on('end', () => {
      const seen = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body }
      requests.push(seen)
      script(seen, response)
    })
  })
  server.listen(0, '127.0.0.1')
  const address = await until(() => server.address())
  if (typeof address === 'string') throw new Error('the host has no port')
  const host = `127.0.0.1:${address.port}`
  return {
    url: `http://${host}`,
    host,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
