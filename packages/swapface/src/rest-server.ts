/**
 * The HTTP listener: parses a request, passes it to the route of its path, and writes the response. Request bodies are
 * limited in bytes and time. An internal error is logged, and its response is a 500 without details.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { isIPv6 } from 'node:net'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

import { listenOn } from '../../../src/lib/http/listen-on.ts'
import { readJson } from '../../../src/lib/http/read-body.ts'
import { readErrorCode } from '../../../src/lib/error-code.ts'
import type { Log } from './log.ts'

/** Fits three URLs of the maximum length, in UTF-8. */
const MAX_BODY_BYTES = 128 * 1024
const REQUEST_TIMEOUT_MS = 10_000
/** How long `close` waits for responses in progress. */
const DRAIN_MS = 500

export interface RestRequest {
  readonly method: string
  /** As sent, undecoded. */
  readonly path: string
  /** As sent, without the question mark. */
  readonly query: string
  readonly headers: IncomingMessage['headers']
  /**
   * Reads the JSON value of the body; undefined if the body is empty.
   * @throws {Refusal} 413 if it is too large, 415 if it has another type, 400 if it is not JSON.
   */
  readJson(): Promise<unknown>
}

export interface RestResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | number>>
  /** A function is called only when the body is sent: never for HEAD. */
  readonly body: string | Uint8Array | (() => Readable)
}

export interface Route {
  /** An exact path, or a prefix if it ends with a slash. */
  readonly path: string
  readonly methods: readonly ('GET' | 'HEAD' | 'POST')[]
  handle(request: RestRequest): RestResponse | Promise<RestResponse>
}

/** Thrown by a handler to end the request with this response. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly answer: RestResponse

  constructor(answer: RestResponse) {
    super(`refused with ${answer.status}`)
    this.answer = answer
  }
}

export interface RestServer {
  /** Without a trailing slash. */
  readonly url: string
  /** Sets the routes. Call it once, right after opening. */
  serve(routes: readonly Route[]): void
  /** Stops accepting connections, and closes the open ones after half a second. */
  close(): Promise<void>
}

/** Resolves when the server listens; rejects if the port is taken. */
export async function openRestServer(host: string, port: number, log: Log): Promise<RestServer> {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS })
  const boundPort = await listenOn(server, { host, port })
  return {
    url: `http://${isIPv6(host) ? `[${host}]` : host}:${boundPort}`,
    serve: (routes) => {
      server.on('request', (request, response) => {
        handleRequest(request, response, routes).catch((error: unknown) => {
          // The headers are already sent: a file could not be read to its end, or the client disconnected.
          response.destroy()
          if (!isClientDisconnected(error)) log({ event: 'fault', during: 'response', error })
        })
      })
    },
    close: () =>
      new Promise((resolve) => {
        const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS)
        server.close(() => {
          clearTimeout(cut)
          resolve()
        })
      }),
  }

  async function handleRequest(request: IncomingMessage, response: ServerResponse, routes: readonly Route[]) {
    const answer = await findResponse(request, routes).catch((error: unknown) => {
      if (error instanceof Refusal) return error.answer
      log({ event: 'fault', during: 'request', error })
      return toJsonResponse(500, { status: 'FAILED', message: 'Internal error.', data: null })
    })
    await writeResponse(answer, request.method === 'HEAD', response)
  }
}

export function toJsonResponse(status: number, document: unknown): RestResponse {
  return {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    body: JSON.stringify(document),
  }
}

/** Returns a refusal in the format of the reference's sample for 400. */
export function toFailedResponse(status: number, message: string): RestResponse {
  return toJsonResponse(status, { status: 'FAILED', message, data: null })
}

async function findResponse(request: IncomingMessage, routes: readonly Route[]): Promise<RestResponse> {
  const { method = '', url = '/' } = request
  const [path = '/', ...rest] = url.split('?')
  const route = routes.find((one) => (one.path.endsWith('/') ? path.startsWith(one.path) : path === one.path))
  if (!route) return toFailedResponse(404, `Nothing is served at ${path.slice(0, 100)}.`)
  if (!route.methods.some((one) => one === method)) {
    const answer = toFailedResponse(405, `${path} takes ${route.methods.join(' and ')}.`)
    return { ...answer, headers: { ...answer.headers, allow: route.methods.join(', ') } }
  }
  return route.handle({
    method,
    path,
    query: rest.join('?'),
    headers: request.headers,
    readJson: () => readValue(request),
  })
}

async function readValue(request: IncomingMessage): Promise<unknown> {
  const body = await readJson(request, MAX_BODY_BYTES)
  if (body.kind === 'read') return body.value
  const answer = toFailedResponse(body.status, body.message)
  throw new Refusal(body.status === 413 ? closing(answer) : answer)
}

/** Closes the connection after the response, so that the rest of the request is not read. */
function closing(answer: RestResponse): RestResponse {
  return { ...answer, headers: { ...answer.headers, connection: 'close' } }
}

async function writeResponse({ status, headers, body }: RestResponse, isHead: boolean, response: ServerResponse) {
  const length = typeof body === 'function' || status === 304 ? {} : { 'content-length': Buffer.byteLength(body) }
  response.writeHead(status, { 'x-content-type-options': 'nosniff', ...length, ...headers })
  if (isHead) response.end()
  else if (typeof body === 'function') await pipeline(body(), response)
  else response.end(body)
}

function isClientDisconnected(error: unknown): boolean {
  return readErrorCode(error) === 'ERR_STREAM_PREMATURE_CLOSE'
}
