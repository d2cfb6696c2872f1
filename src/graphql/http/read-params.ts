import type { IncomingMessage } from 'node:http'
import { readBody } from '../../lib/http/read-body.ts'
import { readQuery } from '../../lib/http/request-head.ts'
import { type OperationParams, parseBody, parseQuery } from '../operation/params.ts'
import { RequestError } from '../operation/request-error.ts'
import type { RequestHead } from './read-head.ts'

const MAX_BODY_BYTES = 256 * 1024

export interface ReadParams {
  readonly params: OperationParams
  /** The bytes of a POST; null for GET and HEAD, whose parameters are in the URL. */
  readonly body: Buffer | null
}

/** @throws {RequestError} 400 or 413. */
export async function readParams(request: IncomingMessage, { method }: RequestHead): Promise<ReadParams> {
  if (method !== 'POST') return { params: parseQuery(readQuery(request)), body: null }
  const body = await readBoundedBody(request)
  return { params: parseBody(body), body }
}

/** @throws {RequestError} 413. */
async function readBoundedBody(request: IncomingMessage): Promise<Buffer> {
  // A body with too large a Content-Length is refused unread; without the header this compares NaN.
  const isTooLong = Number(request.headers['content-length']) > MAX_BODY_BYTES
  const body = isTooLong ? null : await readBody(request, MAX_BODY_BYTES)
  if (body === null) {
    throw new RequestError(413, 'TOO_LARGE', `A request body may have at most ${MAX_BODY_BYTES} bytes.`)
  }
  return body
}
