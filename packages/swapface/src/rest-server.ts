/**
 * The HTTP listener: takes a request apart, hands it to the route that owns
 * its path, and writes the answer. It knows no route itself. A request's body
 * is bounded in bytes and time; a fault of ours is logged and answered with
 * 500 and no detail.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { isIPv6 } from 'node:net'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

import { readJson } from '../../../src/lib/http/read-body.ts'
import { readErrorCode } from '../../../src/lib/error-code.ts'
import type { Log } from './log.ts'

/** Three addresses of the longest kind, in UTF-8. */
const MAX_BODY_BYTES = 128 * 1024
const REQUEST_TIMEOUT_MS = 10_000
/** How long close() lets answers under way finish. */
const DRAIN_MS = 500

export interface RestRequest {
  readonly method: string
  /** As sent, undecoded. */
  readonly path: string
  /** As sent, without the question mark. */
  readonly query: string
  readonly headers: IncomingMessage['headers']
  /**
   * The JSON value of the body; undefined where it is empty.
   * @throws {Refusal} 413, 415 or 400 for what is too large, of another type, or not JSON.
   */
  readJson(): Promise<unknown>
}

export interface RestAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | number>>
  /** Opened only when it is sent: never for HEAD. */
  readonly body: string | Uint8Array | (() => Readable)
}

export interface Route {
  /** A path, or where it ends with a slash, everything below it. */
  readonly path: string
  readonly methods: readonly ('GET' | 'HEAD' | 'POST')[]
  handle(request: RestRequest): RestAnswer | Promise<RestAnswer>
}

/** An answer that ends the handling of a request where it is thrown. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly answer: RestAnswer

  constructor(answer: RestAnswer) {
    super(`refused with ${answer.status}`)
    this.answer = answer
  }
}

export interface RestServer {
  /** Without a trailing slash. */
  readonly url: string
  /** What arrives from now on is answered by these routes. Called once, right after opening. */
  serve(routes: readonly Route[]): void
  /** Takes no more connections, and cuts what is not answered within half a second. */
  close(): Promise<void>
}

/** Resolves once it listens; rejects when the port is taken. */
export async function openRestServer(host: string, port: number, log: Log): Promise<RestServer> {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const address = server.address()
  const boundPort = typeof address === 'object' && address !== null ? address.port : port

  return {
    url: `http://${isIPv6(host) ? `[${host}]` : host}:${boundPort}`,
    serve: (routes) => {
      server.on('request', (request, response) => {
        answerRequest(request, response, routes).catch((error: unknown) => {
          // The answer has begun: a file that cannot be read to its end, or a client that left.
          response.destroy()
          if (!isClientGone(error)) log({ event: 'fault', during: 'answer', error })
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

  async function answerRequest(request: IncomingMessage, response: ServerResponse, routes: readonly Route[]) {
    const answer = await findAnswer(request, routes).catch((error: unknown) => {
      if (error instanceof Refusal) return error.answer
      log({ event: 'fault', during: 'request', error })
      return toJsonAnswer(500, { status: 'FAILED', message: 'A fault of ours.', data: null })
    })
    await writeAnswer(answer, request.method === 'HEAD', response)
  }
}

export function toJsonAnswer(status: number, document: unknown): RestAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    body: JSON.stringify(document),
  }
}

/** The document of every refusal, as the reference shows it for 400. */
export function toFailedAnswer(status: number, message: string): RestAnswer {
  return toJsonAnswer(status, { status: 'FAILED', message, data: null })
}

async function findAnswer(request: IncomingMessage, routes: readonly Route[]): Promise<RestAnswer> {
  const { method = '', url = '/' } = request
  const [path = '/', ...rest] = url.split('?')
  const route = routes.find((one) => (one.path.endsWith('/') ? path.startsWith(one.path) : path === one.path))
  if (!route) return toFailedAnswer(404, `Nothing is at ${path.slice(0, 100)}.`)
  if (!route.methods.some((one) => one === method)) {
    const answer = toFailedAnswer(405, `${path} takes ${route.methods.join(' and ')}.`)
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
  const answer = toFailedAnswer(body.status, body.message)
  throw new Refusal(body.status === 413 ? closing(answer) : answer)
}

/** The rest of the request is not worth reading: the connection ends with the answer. */
function closing(answer: RestAnswer): RestAnswer {
  return { ...answer, headers: { ...answer.headers, connection: 'close' } }
}

async function writeAnswer({ status, headers, body }: RestAnswer, isHead: boolean, response: ServerResponse) {
  const length = typeof body === 'function' || status === 304 ? {} : { 'content-length': Buffer.byteLength(body) }
  response.writeHead(status, { 'x-content-type-options': 'nosniff', ...length, ...headers })
  if (isHead) response.end()
  else if (typeof body === 'function') await pipeline(body(), response)
  else response.end(body)
}

function isClientGone(error: unknown): boolean {
  return readErrorCode(error) === 'ERR_STREAM_PREMATURE_CLOSE'
}
