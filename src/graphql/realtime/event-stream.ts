/**
 * GraphQL over SSE, distinct connections mode: one request, one operation, one stream of `next` events and then
 * `complete` (the graphql-sse protocol). A stream that is quiet still has an event every 30 s, so that no proxy takes
 * it for dead. What cannot be run is a `next` with its errors, as the protocol has it: a client that only knows
 * streams sees why.
 */
import type { ServerResponse } from 'node:http'
import type { ExecutionResult } from 'graphql'
import { closeSpread } from '../../lib/async/close-spread.ts'
import { createCounts } from '../../lib/counts.ts'
import type { Caller } from '../schema/caller.ts'
import { whenOver } from './expiry.ts'
import type { LiveOperation, LiveOperations } from './live-operations.ts'
import { formatResult } from '../operation/errors.ts'
import type { Operation, Unrunnable } from '../operation/prepare-operation.ts'
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
  /** Epoch milliseconds. */
  readonly now: () => number
}

/** One request that is answered with a stream. */
export interface StreamRequest {
  readonly caller: Caller
  /** Called once, after the head of the response is sent. */
  readonly prepare: () => Promise<Operation | Unrunnable>
  /** Whether it may be a mutation: a GET may not. */
  readonly mayChange: boolean
}

export interface EventStreamHandler {
  /** @throws {RequestError} 503 if the tenant has too many streams already; nothing was written then. */
  open(request: StreamRequest, response: ServerResponse): Promise<void>
  /** Cuts every stream, one after the other: an end without `complete` is one after which clients connect again. */
  close(): Promise<void>
}

export function openEventStreamHandler({ live, now }: EventStreamHandlerParts): EventStreamHandler {
  const streams = new Set<ServerResponse>()
  const streamsOf = createCounts()
  /** The event that a payload becomes, once for all who are given it. */
  const frames = new WeakMap<Buffer, Buffer>()
  const toFrame = (payload: Buffer): Buffer => {
    const frame = frames.get(payload) ?? Buffer.concat([NEXT_PREFIX, payload, END_OF_EVENT])
    frames.set(payload, frame)
    return frame
  }

  const stream = async ({ caller, prepare, mayChange }: StreamRequest, response: ServerResponse) => {
    const send = (result: ExecutionResult) => response.write(toFrame(Buffer.from(JSON.stringify(formatResult(result)))))
    const operation = await prepare()
    if (response.destroyed) return
    if ('errors' in operation) send(operation)
    else if (operation.type === 'mutation' && !mayChange) send(refuseMutationOverGet())
    else if (operation.type === 'subscription') {
      const sink = {
        isReady: () => !response.writableNeedDrain,
        next: (payload: Buffer) => response.write(toFrame(payload)),
        last: (payload: Buffer | null) =>
          response.end(payload ? `${toFrame(payload).toString('utf8')}${COMPLETE}` : COMPLETE),
      }
      const started = await live.start(operation, sink)
      if (!('errors' in started)) return follow(caller, response, started)
      send(started)
    } else send(await operation.execute())
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
