import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'

/** Signs texts with a secret that nobody else has, so that what comes back can be told to be ours without a list of it. */
export interface Signer {
  /** The mac of a text, in base64url. */
  sign(text: string): string
  /** Whether the mac is ours for this text. Takes the same time for every wrong mac. */
  isSigned(text: string, mac: string): boolean
}

/**
 * @param secrets the first signs, all verify: so a secret is rotated.
 * @param purpose what is signed: a mac made for one purpose is none for another.
 * @param macChars how much of the mac is kept, 6 bits a character; the whole has 43.
 */
export function createSigner(secrets: readonly [string, ...string[]], purpose: string, macChars = 43): Signer {
  const toKey = (secret: string) => Buffer.from(hkdfSync('sha256', secret, '', purpose, 32))
  const [first, ...older] = secrets
  const signingKey = toKey(first)
  const keys = [signingKey, ...older.map(toKey)]
  const macOf = (key: Buffer, text: string) =>
    createHmac('sha256', key).update(text).digest('base64url').slice(0, macChars)
  return {
    sign: (text) => macOf(signingKey, text),
    isSigned: (text, mac) => {
      // Compared as text: base64url has spare bits in its last character, and a changed one is a changed mac.
      const given = Buffer.from(mac)
      return keys.some((key) => {
        const expected = Buffer.from(macOf(key, text))
        return expected.length === given.length && timingSafeEqual(expected, given)
      })
    },
  }
}
