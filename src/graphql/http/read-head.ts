import type { IncomingMessage } from 'node:http'
import { isPlain } from '../../lib/http/read-body.ts'
import { readHeader } from '../../lib/http/request-head.ts'
import { RequestError } from '../operation/request-error.ts'
import {
  EVENT_STREAM_TYPE,
  findParameter,
  GRAPHQL_RESPONSE_TYPE,
  isUtf8,
  JSON_TYPE,
  negotiate,
  type ResponseType,
} from './accept.ts'

/** The parsed method and headers of a GraphQL request. */
export interface RequestHead {
  readonly method: 'GET' | 'HEAD' | 'POST'
  /** Whether to send the GraphiQL page, because a browser opens the endpoint. */
  readonly wantsPage: boolean
  /** The media type of a single response; null if a stream is preferred. */
  readonly type: ResponseType | null
  /** Whether a stream is acceptable. */
  readonly takesStream: boolean
  readonly idempotencyKey: string | null
}

/**
 * Requiring a JSON content type also refuses CORS "simple" requests, which a page of any origin may send without a
 * preflight.
 */
const JSON_TYPES: ReadonlySet<string> = new Set(['application/json', 'application/graphql+json'])

const NOT_ACCEPTABLE = `The accept header names no type that can be served. Accept ${GRAPHQL_RESPONSE_TYPE} or ${JSON_TYPE}; for a subscription, accept ${EVENT_STREAM_TYPE} (SSE) or use a WebSocket with the subprotocol graphql-transport-ws.`

/**
 * @param hasPage whether the GraphiQL page is served.
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

/**
 * Checks the content headers. A GET has no body and needs no content type; if it names one, it must be JSON too.
 * @throws {RequestError} 415, with a message that names the wrong header.
 */
function checkContentHeaders({ headers }: IncomingMessage, isPost: boolean): void {
  if (isPost && !isPlain({ headers })) {
    throw new RequestError(
      415,
      'UNSUPPORTED_CONTENT_ENCODING',
      'The content-encoding is not supported. Send the body uncompressed, without a content-encoding header.',
      { 'accept-encoding': 'identity' },
    )
  }
  const contentType = headers['content-type']
  if (contentType === undefined) {
    if (!isPost) return
    throw unsupported('The content-type header is missing. Send a JSON body with content-type: application/json.')
  }
  if (JSON_TYPES.has(contentType)) return
  const [type = '', ...parameters] = contentType.split(';').map((part) => part.trim())
  if (!JSON_TYPES.has(type.toLowerCase())) {
    throw unsupported('The content-type is not supported. Send a JSON body with content-type: application/json.')
  }
  const charset = findParameter(parameters, 'charset')
  if (charset !== null && !isUtf8(charset)) {
    throw unsupported('The charset of the content-type is not supported. Send the body in UTF-8.')
  }
}

function unsupported(message: string): RequestError {
  return new RequestError(415, 'UNSUPPORTED_MEDIA_TYPE', message, { accept: 'application/json' })
}
