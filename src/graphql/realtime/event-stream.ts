/**
 * GraphQL over SSE, distinct connections mode: one request, one operation, one stream of `next` events and then
 * `complete` (the graphql-sse protocol). A quiet stream still sends an event every 30 s, so that proxies do not time it
 * out. An operation that cannot run gets a `next` event with its errors, as the protocol requires.
 */
import type { ServerResponse } from 'node:http'
import type { ExecutionResult } from 'graphql'
import { closeSpread } from '../../lib/async/close-spread.ts'
import { createCounts } from '../../lib/counts.ts'
import type { Caller } from '../schema/caller.ts'
import { whenOver } from './expiry.ts'
import type { LiveOperation, LiveOperations, Sink } from './live-operations.ts'
import { formatResult, traceErrors } from '../operation/errors.ts'
import type { Operation, Unrunnable } from '../operation/prepare-operation.ts'
import type { RecordOperation } from '../operation/record-operation.ts'
import { refuseMutationOverGet } from '../operation/refusals.ts'
import { RequestError } from '../operation/request-error.ts'

const MAX_STREAMS_PER_TENANT = 20_000

export const STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  // A proxy that compresses would hold events back until it has a block to compress.
  'cache-control': 'no-cache, no-transform',
  // nginx buffers responses by default, and would hold a stream back until it ends.
  'x-accel-buffering': 'no',
} as const

const COMPLETE = 'event: complete\ndata: \n\n'

export interface EventStreamHandlerParts {
  readonly live: LiveOperations
  readonly record: RecordOperation
  /** Epoch milliseconds. */
  readonly now: () => number
}

/** A request whose response is a stream. */
export interface StreamRequest {
  readonly caller: Caller
  /** Called once, after the head of the response is sent. */
  readonly prepare: () => Promise<Operation | Unrunnable>
  /** Whether it may be a mutation: a GET may not. */
  readonly mayChange: boolean
  /** When the request arrived, on the clock of `performance.now()`. */
  readonly startedAt: number
}

export interface EventStreamHandler {
  /** @throws {RequestError} 503 if the tenant has too many streams; nothing is written then. */
  open(request: StreamRequest, response: ServerResponse): Promise<void>
  /** Destroys all streams, spread over up to 5 s. Without a `complete` event, clients reconnect. */
  close(): Promise<void>
}

export function openEventStreamHandler({ live, record, now }: EventStreamHandlerParts): EventStreamHandler {
  const streams = new Set<ServerResponse>()
  const streamsOf = createCounts()
  /** SSE events by payload: subscribers share a payload, so it is encoded once. */
  const frames = new WeakMap<Buffer, Buffer>()
  const toFrame = (payload: Buffer): Buffer => {
    const frame = frames.get(payload) ?? Buffer.concat([NEXT_PREFIX, payload, END_OF_EVENT])
    frames.set(payload, frame)
    return frame
  }

  const stream = async ({ caller, prepare, mayChange, startedAt }: StreamRequest, response: ServerResponse) => {
    const send = (result: ExecutionResult, ran: Operation | null) => {
      response.write(toFrame(Buffer.from(JSON.stringify(formatResult(result)))))
      record('sse', ran, result.errors === undefined, startedAt)
    }
    const operation = await prepare()
    if (response.destroyed) return
    if ('errors' in operation) send(operation, null)
    else if (operation.type === 'mutation' && !mayChange) {
      const refusal = refuseMutationOverGet()
      traceErrors(operation.span, refusal)
      send(refusal, operation)
    } else if (operation.type === 'subscription') {
      const sink: Sink = {
        transport: 'sse',
        isReady: () => !response.writableNeedDrain,
        next: (payload) => response.write(toFrame(payload)),
        last: (payload) => response.end(payload ? `${toFrame(payload).toString('utf8')}${COMPLETE}` : COMPLETE),
      }
      const started = await live.start(operation, sink, () => record('sse', operation, true, startedAt))
      if (!('errors' in started)) return follow(caller, response, started)
      send(started, operation)
    } else send(await operation.execute(), operation)
    response.end(COMPLETE)
  }

  const follow = ({ viewer }: Caller, response: ServerResponse, operation: LiveOperation) => {
    const stopWaiting = whenOver(viewer, now, () => response.destroy())
    const close = () => {
      stopWaiting()
      operation.close()
    }
    if (response.destroyed) return close()
    response.on('drain', () => operation.resume())
    response.once('close', close)
  }

  return {
    open: async (request, response) => {
      const { tenant } = request.caller.viewer
      if (streamsOf.add(tenant, 1) > MAX_STREAMS_PER_TENANT) {
        streamsOf.add(tenant, -1)
        throw new RequestError(503, 'UNAVAILABLE', 'Too many streams are open. Try again later.', {
          'retry-after': '5',
        })
      }
      response.writeHead(200, STREAM_HEADERS)
      response.flushHeaders()
      streams.add(response)
      response.once('close', () => {
        streams.delete(response)
        streamsOf.add(tenant, -1)
      })
      await stream(request, response)
    },
    close: () => closeSpread(streams, (response) => response.destroy()),
  }
}

const NEXT_PREFIX = Buffer.from('event: next\ndata: ')
const END_OF_EVENT = Buffer.from('\n\n')
