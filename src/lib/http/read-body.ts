import type { IncomingMessage } from 'node:http'
import { concatLarge } from '../async/concat-large.ts'

/**
 * Reads the body of a request. Resolves to null as soon as it exceeds `maxBytes`, and leaves the rest unread for
 * `discardBody`. Rejects if the client disconnects before the end.
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    let isOver = false
    const end = (body: Buffer | null | Promise<Buffer>) => {
      isOver = true
      resolve(body)
    }
    const onData = (chunk: Buffer) => {
      bytes += chunk.byteLength
      chunks.push(chunk)
      if (bytes <= maxBytes) return
      request.off('data', onData).pause()
      end(null)
    }
    // 'close' also follows 'end' and 'error'.
    const onClose = () => {
      if (!isOver) reject(new Error('the caller disconnected before the end of its request'))
    }
    request
      .on('data', onData)
      .on('end', () => end(chunks.length === 1 && chunks[0] ? chunks[0] : concatLarge(chunks)))
      .on('close', onClose)
  })
}

/** The JSON value of a body, undefined if the body is empty; or the HTTP status and message of the refusal. */
export type JsonBody =
  | { readonly kind: 'read'; readonly value: unknown }
  | { readonly kind: 'refused'; readonly status: 400 | 413 | 415; readonly message: string }

/** Reads a JSON body of at most `maxBytes`. The rest of a longer body stays unread, for `discardBody`. */
export async function readJson(request: IncomingMessage, maxBytes: number): Promise<JsonBody> {
  const body = await readBody(request, maxBytes)
  if (body === null) return refused(413, `The body is larger than ${maxBytes} bytes.`)
  if (body.length === 0) return { kind: 'read', value: undefined }
  if (!/^application\/json\s*(?:;|$)/i.test(request.headers['content-type'] ?? '')) {
    return refused(415, 'The body must be application/json.')
  }
  if (!isPlain(request)) return refused(415, 'The body must not be compressed: send it without Content-Encoding.')
  try {
    // A parser may ignore a byte order mark (RFC 8259, 8.1); editors and .NET write one.
    const text = body.toString('utf8').replace(/^\uFEFF/, '')
    return { kind: 'read', value: JSON.parse(text) as unknown }
  } catch {
    return refused(400, 'The body is not valid JSON.')
  }
}

function refused(status: 400 | 413 | 415, message: string): JsonBody {
  return { kind: 'refused', status, message }
}

/** Returns whether the body has no content encoding. `identity` is not a valid one, but clients send it. */
export function isPlain({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return /^(?:identity)?$/i.test(headers['content-encoding']?.trim() ?? '')
}
