/**
 * GraphQL over SSE, distinct connections mode: one request, one operation, one stream of `next` events and then
 * `complete` (the graphql-sse protocol). A stream that is quiet still has an event every 30 s, so that no proxy takes
 * it for dead. What cannot be run is a `next` with its errors, as the protocol has it: a client that only knows
 * streams sees why.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Viewer } from '../auth/viewer.ts'
import { closeSpread } from '../lib/close-spread.ts'
import { readCapped } from '../lib/read-capped.ts'
import { afterExpiry } from './expiry.ts'
import type { LiveOperation, LiveOperations } from './live-operations.ts'
import type { OperationParams, PrepareOperation } from './operations.ts'

const MAX_STREAMS = 20_000

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'private, no-store',
  'x-content-type-options': 'nosniff',
  // Proxies that buffer by default (nginx) hold a stream back until it ends.
  'x-accel-buffering': 'no',
} as const

const COMPLETE = 'event: complete\ndata: \n\n'

export interface EventStreamDoorParts {
  readonly viewer: Viewer
  readonly maxBodyBytes: number
  readonly prepare: PrepareOperation
  readonly live: LiveOperations
  /** Epoch milliseconds. */
  readonly now: () => number
}

export interface EventStreamDoor {
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>
  /** Cuts every stream, one after the other: an end without `complete` is one after which clients connect again. */
  close(): Promise<void>
}

/** Whether a request wants its answer as a stream before anything else. */
export function wantsEventStream(request: IncomingMessage): boolean {
  return /^\s*text\/event-stream\s*(?:[;,]|$)/i.test(request.headers.accept ?? '')
}

export function openEventStreamDoor(parts: EventStreamDoorParts): EventStreamDoor {
  const { viewer, maxBodyBytes, prepare, live, now } = parts
  const streams = new Set<ServerResponse>()
  /** The event that a payload becomes, once for all who are given it. */
  const frames = new WeakMap<Buffer, Buffer>()
  const toFrame = (payload: Buffer): Buffer => {
    const frame = frames.get(payload) ?? Buffer.concat([NEXT_PREFIX, payload, END_OF_EVENT])
    frames.set(payload, frame)
    return frame
  }

  const stream = async (
    response: ServerResponse,
    params: OperationParams,
    idempotencyKey: string | null,
    mayChange: boolean,
  ) => {
    const say = (result: object) => response.write(toFrame(Buffer.from(JSON.stringify(result))))
    const operation = await prepare(viewer, params, idempotencyKey)
    if (response.destroyed) return
    if ('errors' in operation) say({ errors: operation.errors })
    else if (operation.type === 'mutation' && !mayChange)
      say({ errors: [{ message: 'A mutation is sent with POST.' }] })
    else if (operation.type === 'subscription') {
      const sink = {
        isReady: () => !response.writableNeedDrain,
        next: (payload: Buffer) => response.write(toFrame(payload)),
        last: (payload: Buffer | null) =>
          response.end(payload ? `${toFrame(payload).toString('utf8')}${COMPLETE}` : COMPLETE),
      }
      const started = await live.start(operation, sink)
      if (!('errors' in started)) return follow(response, started)
      say({ errors: started.errors })
    } else say(await operation.execute())
    response.end(COMPLETE)
  }

  const follow = (response: ServerResponse, operation: LiveOperation) => {
    const stopExpiry = afterExpiry(viewer, now, () => response.destroy())
    const close = () => {
      stopExpiry()
      operation.close()
    }
    if (response.destroyed) return close()
    response.on('drain', operation.resume)
    response.once('close', close)
  }

  return {
    handle: async (request, response) => {
      if (streams.size >= MAX_STREAMS) {
        return refuse(response, 503, 'Too many streams. Try again later.', { 'retry-after': '5' })
      }
      const mayChange = request.method === 'POST'
      if (!mayChange && request.method !== 'GET')
        return refuse(response, 405, 'Send POST or GET.', { allow: 'GET, POST' })
      const body = mayChange ? await readCapped(request.iterator({ destroyOnReturn: false }), maxBodyBytes) : null
      if (mayChange && body === null) {
        return refuse(response, 413, `A request has at most ${maxBodyBytes} bytes.`, { connection: 'close' })
      }
      const params = body ? parseBody(body) : parseQuery(request.url ?? '')
      if (!params) return refuse(response, 400, 'Send {"query": "…"}, with variables and operationName where needed.')
      response.writeHead(200, HEADERS)
      response.flushHeaders()
      streams.add(response)
      response.once('close', () => streams.delete(response))
      const key = request.headers['idempotency-key']
      await stream(response, params, typeof key === 'string' ? key : null, mayChange)
    },
    close: () => closeSpread(streams, (response) => response.destroy()),
  }
}

const NEXT_PREFIX = Buffer.from('event: next\ndata: ')
const END_OF_EVENT = Buffer.from('\n\n')

function refuse(response: ServerResponse, status: number, message: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, {
    ...headers,
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
  })
  response.end(JSON.stringify({ errors: [{ message }] }))
}

function parseBody(body: Buffer): OperationParams | null {
  try {
    return toParams(JSON.parse(body.toString('utf8')))
  } catch {
    return null
  }
}

function parseQuery(url: string): OperationParams | null {
  const search = new URLSearchParams(url.slice(url.indexOf('?') + 1))
  try {
    const { variables, ...rest } = Object.fromEntries(search)
    return toParams({ ...rest, ...(variables && { variables: JSON.parse(variables) as unknown }) })
  } catch {
    return null
  }
}

function toParams(value: unknown): OperationParams | null {
  if (typeof value !== 'object' || value === null || !('query' in value) || typeof value.query !== 'string') return null
  const { query } = value
  const operationName = 'operationName' in value ? value.operationName : null
  const variables = 'variables' in value ? value.variables : null
  if (typeof operationName !== 'string' && operationName !== null) return null
  if (typeof variables !== 'object' || Array.isArray(variables)) return null
  // A JSON object.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return { query, operationName, variables: variables as Record<string, unknown> | null }
}
