import { createHash } from 'node:crypto'

/** In hex, as `API_KEYS` takes a key's digest. */
export function sha256(value: string | Uint8Array): string {
  return createHash('sha256').update(value).digest('hex')
}
