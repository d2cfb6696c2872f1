import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'

/** Signs texts with HMAC-SHA-256, so that the gateway recognises its own texts later without storing them. */
export interface Signer {
  /** Returns the MAC of a text, in base64url. */
  sign(text: string): string
  /** Returns whether one of the secrets made this MAC for this text. Compares in constant time. */
  isSigned(text: string, mac: string): boolean
}

/**
 * @param secrets the first signs, all verify, so that a secret can be rotated.
 * @param purpose a MAC for one purpose is invalid for any other: each has its own key, derived with HKDF.
 * @param macChars length of the truncated MAC, 6 bits per character; the full MAC has 43.
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
      // Compared as text, not decoded: the spare bits in base64url's last character must match, too.
      const given = Buffer.from(mac)
      return keys.some((key) => {
        const expected = Buffer.from(macOf(key, text))
        return expected.length === given.length && timingSafeEqual(expected, given)
      })
    },
  }
}
