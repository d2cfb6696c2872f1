/**
 * Writes the single response of a GraphQL request. A result without `data` is a request error: its status is 200 as
 * `application/json` and 400 as `application/graphql-response+json` (GraphQL over HTTP, 6.4), unless one of its errors
 * carries a status of its own in `extensions.http`, such as 405, 429 or 503.
 */
import type { ServerResponse } from 'node:http'
import type { ExecutionResult } from 'graphql'
import { sendText } from '../../lib/http/send-text.ts'
import { formatResult, readHttpStatus } from '../operation/errors.ts'
import type { RequestError } from '../operation/request-error.ts'
import { JSON_TYPE, type ResponseType, toContentType, toDocumentErrorStatus } from './accept.ts'

/** @param type the negotiated media type. */
export function sendResult(response: ServerResponse, result: ExecutionResult, type: ResponseType): void {
  const text = JSON.stringify(formatResult(result))
  sendText(response, toStatus(result, type), toContentType(type), text)
}

/** A request that was refused before its operation was known: always `application/json`. */
export function sendRequestError(response: ServerResponse, { status, headers, code, message }: RequestError): void {
  const text = JSON.stringify({ errors: [{ message, extensions: { code } }] })
  response.writeHead(status, {
    'content-type': toContentType(JSON_TYPE),
    ...headers,
    'content-length': Buffer.byteLength(text),
  })
  response.end(text)
}

function toStatus({ data, errors = [] }: ExecutionResult, type: ResponseType): number {
  const own = errors.flatMap((error) => readHttpStatus(error) ?? []).filter((status) => status !== 400)
  if (own.length > 0) return Math.max(...own)
  return data === undefined ? toDocumentErrorStatus(type) : 200
}
