import { createHash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { WorkSteps } from '../async/work-steps.ts'

const HASHED_AT_ONCE = 64 * 1_024

/** The SHA-256 digest, in lower-case hex. */
export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

/** Same digest, for large data: yields to the event loop between steps. */
export async function sha256OfLarge(data: Uint8Array): Promise<string> {
  const hash = createHash('sha256')
  const steps = new WorkSteps()
  for (let at = 0; at < data.byteLength; at += HASHED_AT_ONCE) {
    hash.update(data.subarray(at, at + HASHED_AT_ONCE))
    if (steps.isOver(HASHED_AT_ONCE)) await nextTurn()
  }
  return hash.digest('hex')
}
