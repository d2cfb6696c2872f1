import { randomBytes } from 'node:crypto'

/** Crockford's base 32, lower case: no i, l, o or u. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
const TIME_CHARS = 10
const RANDOM_CHARS = 16

/**
 * Creates `<prefix>_` and 26 characters: 48 bits of time, then 80 random bits (the layout of a ULID), so that ids sort
 * by time of creation and a database index grows at one end only.
 */
export function createId(prefix: string, nowMs: number): string {
  let time = ''
  let rest = nowMs
  for (let i = 0; i < TIME_CHARS; i += 1) {
    time = ALPHABET.charAt(rest % 32) + time
    rest = Math.floor(rest / 32)
  }
  let random = ''
  for (const byte of randomBytes(RANDOM_CHARS)) random += ALPHABET.charAt(byte % 32)
  return `${prefix}_${time}${random}`
}
