import { setImmediate as nextTurn } from 'node:timers/promises'
import { WorkSteps } from './work-steps.ts'

const COPIED_AT_ONCE = 64 * 1_024
/** Fixed cost of copying a part, in bytes' worth of work. */
const PART_BYTES = 128

/**
 * `Buffer.concat` for large data: yields to the event loop between steps. The first write to new memory is slow,
 * because the system clears each page first: 15 MB at once can block the event loop for 50 ms.
 */
export async function concatLarge(parts: readonly Uint8Array[]): Promise<Buffer> {
  const whole = Buffer.allocUnsafe(parts.reduce((sum, { byteLength }) => sum + byteLength, 0))
  const steps = new WorkSteps()
  let end = 0
  for (const part of parts) {
    for (let from = 0; from < part.byteLength; from += COPIED_AT_ONCE) {
      const piece = part.subarray(from, from + COPIED_AT_ONCE)
      whole.set(piece, end)
      end += piece.byteLength
      if (steps.isOver(piece.byteLength + PART_BYTES)) await nextTurn()
    }
  }
  return whole
}
