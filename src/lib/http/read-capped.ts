import { concatLarge } from '../async/concat-large.ts'

/**
 * Reads a stream of bytes to its end. Returns null and ends the stream as soon as it exceeds `maxBytes`.
 */
export async function readCapped(stream: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer | null> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of stream) {
    bytes += chunk.byteLength
    if (bytes > maxBytes) return null
    chunks.push(chunk)
  }
  return concatLarge(chunks)
}
