/**
 * The body of a GraphQL request over HTTP: JSON in UTF-8, not compressed, of bounded size. Requiring a JSON content type
 * also keeps out what a page of any origin may send without a preflight (CORS "simple" requests).
 */
import type { IncomingMessage } from 'node:http'
import { readBody } from '../../lib/http/read-body.ts'
import { isPlain } from '../../lib/http/read-json.ts'
import { findParameter, isUtf8 } from './accept.ts'
import { RequestError } from '../operation/request-error.ts'

const MAX_BODY_BYTES = 256 * 1024
/** Node holds this much in memory before anything is read, so reading it early costs nothing. */
const SMALL_BODY_BYTES = 16 * 1024
const JSON_TYPES: ReadonlySet<string> = new Set(['application/json', 'application/graphql+json'])

/**
 * A GET has no body; if it names a content type all the same, it must be JSON too.
 * @throws {RequestError} 415, which names the header that is wrong.
 */
export function checkContentHeaders({ headers }: IncomingMessage, isPost: boolean): void {
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

/** Whether the request announces a body that is read before its caller is authenticated. */
export function isSmallBody(request: IncomingMessage): boolean {
  return readLength(request) <= SMALL_BODY_BYTES
}

/** @throws {RequestError} 413. */
export async function readGraphqlBody(request: IncomingMessage): Promise<Buffer> {
  const isTooLong = readLength(request) > MAX_BODY_BYTES
  const body = isTooLong ? null : await readBody(request, MAX_BODY_BYTES)
  if (body === null) {
    throw new RequestError(413, 'TOO_LARGE', `A request body has at most ${MAX_BODY_BYTES} bytes.`)
  }
  return body
}

/** NaN if the length is not announced. */
function readLength({ headers }: IncomingMessage): number {
  return Number(headers['content-length'])
}

function unsupported(message: string): RequestError {
  return new RequestError(415, 'UNSUPPORTED_MEDIA_TYPE', message, { accept: 'application/json' })
}
