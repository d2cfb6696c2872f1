import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { isLoopback } from '../config/config.ts'
import { listenOn } from '../lib/http/listen-on.ts'
import { isLoopbackHost, normaliseHost, readPath } from '../lib/http/request-head.ts'
import { sendText } from '../lib/http/send-text.ts'

/** Limits for slow clients, and the number of connections: a few scrapers. */
const PATIENCE = { headersTimeout: 5_000, requestTimeout: 5_000, connectionsCheckingInterval: 1_000 } as const
const MAX_CONNECTIONS = 100
const TEXT = 'text/plain; charset=utf-8'
/** The text format of Prometheus. */
const METRICS_TEXT = 'text/plain; version=0.0.4; charset=utf-8'

export interface AdminServer {
  close(): Promise<void>
}

/**
 * Listens for Prometheus: `GET /metrics`, and nothing else. There is no authentication. On a loopback address it serves
 * only requests for a loopback host, so that no web page can read the metrics under a host name of its own.
 * @throws if the address is not available.
 */
export async function openAdminServer(
  { adminHost: host, adminPort }: { readonly adminHost: string; readonly adminPort: number },
  render: () => Promise<string>,
  onUnexpectedError: (error: unknown) => void,
): Promise<AdminServer> {
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const refusal = findRefusal(request, isLoopback(host))
    if (refusal === null) return sendText(response, 200, METRICS_TEXT, await render())
    if (refusal.status === 405) response.setHeader('allow', 'GET')
    sendText(response, refusal.status, TEXT, `${refusal.message}\n`)
  }
  const server = createServer(PATIENCE, (request, response) => {
    answer(request, response).catch((error: unknown) => {
      onUnexpectedError(error)
      if (response.headersSent) response.destroy()
      else sendText(response, 500, TEXT, 'Unexpected error.\n')
    })
  })
  server.maxConnections = MAX_CONNECTIONS
  await listenOn(server, { host, port: adminPort })
  return {
    close: async () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
      server.closeAllConnections()
      await closed
    },
  }
}

function findRefusal(request: IncomingMessage, isLocal: boolean) {
  const host = normaliseHost(request.headers.host ?? '', 'http:')
  if (isLocal && (host === null || !isLoopbackHost(host)))
    return { status: 403, message: 'Use a loopback host, such as 127.0.0.1 or localhost.' }
  if (readPath(request) !== '/metrics') return { status: 404, message: 'Only /metrics is served here.' }
  return request.method === 'GET' ? null : { status: 405, message: 'Use GET.' }
}
