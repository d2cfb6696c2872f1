import type { IncomingMessage } from 'node:http'
import { readHeader } from '../../lib/http/read-header.ts'
import { RequestError } from '../operation/request-error.ts'
import { EVENT_STREAM_TYPE, GRAPHQL_RESPONSE_TYPE, JSON_TYPE, negotiate, type ResponseType } from './accept.ts'
import { checkContentHeaders } from './request-body.ts'

/** What the method and the headers of a GraphQL request ask for. */
export interface RequestHead {
  readonly method: 'GET' | 'HEAD' | 'POST'
  /** Whether a browser opens the endpoint, to see a page. */
  readonly wantsPage: boolean
  /** The media type of a single response; null if a stream is preferred. */
  readonly type: ResponseType | null
  /** Whether a stream is acceptable. */
  readonly takesStream: boolean
  readonly idempotencyKey: string | null
}

const NOT_ACCEPTABLE = `The accept header names no type that can be served. Accept ${GRAPHQL_RESPONSE_TYPE} or ${JSON_TYPE}; for a subscription, accept ${EVENT_STREAM_TYPE} (SSE) or use a WebSocket with the subprotocol graphql-transport-ws.`

/**
 * @param hasPage whether a browser can be shown a page.
 * @throws {RequestError} 405, 406 or 415.
 */
export function readHead(request: IncomingMessage, hasPage: boolean): RequestHead {
  const { method, headers } = request
  if (method !== 'POST' && method !== 'GET' && method !== 'HEAD')
    throw new RequestError(405, 'METHOD_NOT_ALLOWED', 'Send POST or GET.', { allow: 'GET, HEAD, POST' })
  const wantsPage = hasPage && method !== 'POST' && headers.accept?.includes('text/html') === true
  if (wantsPage) return { method, wantsPage, type: null, takesStream: false, idempotencyKey: null }
  checkContentHeaders(request, method === 'POST')
  const { type, takesStream, prefersStream } = negotiate(headers.accept)
  if (type === null && !takesStream) throw new RequestError(406, 'NOT_ACCEPTABLE', NOT_ACCEPTABLE)
  const idempotencyKey = readHeader(request, 'idempotency-key')
  return { method, wantsPage, type: prefersStream ? null : type, takesStream, idempotencyKey }
}
