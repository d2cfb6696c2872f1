import type { IncomingMessage } from 'node:http'

/**
 * The body of a request, or null as soon as it is longer than `maxBytes`: then the rest is left unread, so that an answer
 * can still be given. Rejects when the caller goes away in the middle.
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const onData = (chunk: Buffer) => {
      bytes += chunk.byteLength
      chunks.push(chunk)
      if (bytes > maxBytes) {
        request.pause()
        end(null)
      }
    }
    const onEnd = () => end(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, bytes))
    const onClose = () => {
      stop()
      reject(new Error('the caller went away in the middle of its request'))
    }
    const stop = () => {
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose)
    }
    const end = (body: Buffer | null) => {
      stop()
      resolve(body)
    }
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose)
  })
}
