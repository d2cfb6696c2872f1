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
