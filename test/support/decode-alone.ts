/**
 * Separate process that decodes image files sequentially, both like an upload and like the embedded upstream. Writes
 * one line of JSON per file: the outcome, and the process's peak memory so far.
 */
import { readFile } from 'node:fs/promises'
import { decodeImage } from '../../packages/swapface/src/engine/decode.ts'
import { createSharpCodec } from '../../src/images/sharp.ts'

const [warmUp = '', ...paths] = process.argv.slice(2)
const codec = createSharpCodec()

async function decode(path: string): Promise<string> {
  const bytes = await readFile(path)
  const messages = [
    await codec.clean(bytes, 'COPY', 'a').then(() => null, String),
    await decodeImage(bytes, { name: 'target', maxPixels: 52_000_000 }).then(() => null, String),
  ]
  return messages.find((message) => message !== null) ?? 'decoded'
}

await decode(warmUp)
const peakBytes = () => process.resourceUsage().maxRSS * 1_024
const idleBytes = peakBytes()
for (const path of paths) {
  const outcome = await decode(path)
  process.stdout.write(`${JSON.stringify({ path, outcome, grownBytes: peakBytes() - idleBytes })}\n`)
}
