import type { IncomingMessage } from 'node:http'
import { readBody } from './read-body.ts'

/** The JSON value of a body, undefined where it is empty; or the status and the words with which it is refused. */
export type JsonBody =
  | { readonly kind: 'read'; readonly value: unknown }
  | { readonly kind: 'refused'; readonly status: 400 | 413 | 415; readonly message: string }

/** One that is too long is left unread, not cut off together with our answer. */
export async function readJson(request: IncomingMessage, maxBytes: number): Promise<JsonBody> {
  const body = await readBody(request, maxBytes)
  if (body === null) return refused(413, `The body is larger than ${maxBytes} bytes.`)
  if (body.length === 0) return { kind: 'read', value: undefined }
  if (!/^application\/json\s*(?:;|$)/i.test(request.headers['content-type'] ?? '')) {
    return refused(415, 'The body must be application/json.')
  }
  try {
    return { kind: 'read', value: JSON.parse(body.toString('utf8')) as unknown }
  } catch {
    return refused(400, 'The body is not valid JSON.')
  }
}

function refused(status: 400 | 413 | 415, message: string): JsonBody {
  return { kind: 'refused', status, message }
}
