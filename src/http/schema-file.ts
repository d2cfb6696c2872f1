import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { sendText } from '../lib/http/send-text.ts'
import { checkPreconditions } from './conditional.ts'
import { sendError } from './respond.ts'

export const SCHEMA_PATH = '/schema.graphql'

/**
 * `GET /schema.graphql`: the schema in SDL, for code generators, linters and people. Like the other pages it needs no
 * credentials: it is the published contract, not data.
 * @param printSdl called once, at the first request; null if introspection is disabled.
 */
export function createSchemaFile(printSdl: (() => string) | null) {
  let file: { readonly sdl: string; readonly etag: string } | null = null

  return (request: IncomingMessage, response: ServerResponse): void => {
    if (!printSdl) {
      const message = 'Introspection is disabled, so the schema is not served. Set INTROSPECTION=on to enable it.'
      return sendError(response, 404, 'INTROSPECTION_DISABLED', message)
    }
    file ??= toFile(printSdl())
    response.setHeader('etag', file.etag)
    response.setHeader('cache-control', 'no-cache')
    switch (checkPreconditions(request.headers, file.etag)) {
      case 'notModified':
        response.writeHead(304).end()
        return
      case 'failed':
        return sendError(response, 412, 'PRECONDITION_FAILED', 'The schema does not have the entity tag in If-Match.')
      case 'proceed':
        return sendText(response, 200, 'text/plain; charset=utf-8', file.sdl)
    }
  }
}

function toFile(sdl: string) {
  return { sdl, etag: `"${createHash('sha256').update(sdl).digest('base64url')}"` }
}
