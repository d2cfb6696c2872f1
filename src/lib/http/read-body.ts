import type { IncomingMessage } from 'node:http'

/**
 * The body of a request, or null as soon as it is longer than `maxBytes`; the rest is left unread, for `discardBody`.
 * Rejects if the client disconnects before the end.
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    let isOver = false
    const end = (body: Buffer | null) => {
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
    // It closes after its end, and after an error, too.
    const onClose = () => {
      if (!isOver) reject(new Error('the caller went away in the middle of its request'))
    }
    request
      .on('data', onData)
      .on('end', () => end(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, bytes)))
      .on('close', onClose)
  })
}

/** The JSON value of a body, undefined where it is empty; or the status and the words with which it is refused. */
export type JsonBody =
  | { readonly kind: 'read'; readonly value: unknown }
  | { readonly kind: 'refused'; readonly status: 400 | 413 | 415; readonly message: string }

/** Reads a body up to `maxBytes`. The rest of a longer one is left unread, so that it can still be answered. */
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

/** Whether the body is sent as it is. `identity` is no encoding, but clients send it. */
export function isPlain({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return /^(?:identity)?$/i.test(headers['content-encoding']?.trim() ?? '')
}
