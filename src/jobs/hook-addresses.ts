/**
 * The hook address of a job: `<public url>/hooks/swapface/<job id>.<mac>`. The upstream does not sign its hooks, so
 * the address itself proves that whoever calls it was given it by us for this job. The mac is checked without asking
 * the database; what the hook says is only a hint all the same.
 */
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'

export interface HookAddresses {
  addressOf(jobId: string): string
  /** The job a token was made for; null when the token is not ours. Takes the same time for every wrong mac. */
  parseToken(token: string): string | null
}

/** 128 bits in base64url. */
const MAC_CHARS = 22

/** @param secrets the first signs, all verify: so a secret is rotated. */
export function createHookAddresses(publicUrl: string, secrets: readonly [string, ...string[]]): HookAddresses {
  const [signingKey, ...olderKeys] = secrets.map((secret) => hkdfSync('sha256', secret, '', 'swapface hook token', 32))
  if (!signingKey) throw new TypeError('a hook token needs a secret')
  const base = `${publicUrl.replace(/\/$/, '')}/hooks/swapface/`
  return {
    addressOf: (jobId) => `${base}${jobId}.${mac(signingKey, jobId)}`,
    parseToken: (token) => {
      const dot = token.length - MAC_CHARS - 1
      if (dot < 1 || token[dot] !== '.') return null
      const jobId = token.slice(0, dot)
      // Compared as text: base64url has spare bits in its last character, and a changed one is a changed token.
      const given = Buffer.from(token.slice(dot + 1))
      const isOurs = [signingKey, ...olderKeys].some((key) => {
        const expected = Buffer.from(mac(key, jobId))
        return expected.length === given.length && timingSafeEqual(expected, given)
      })
      return isOurs ? jobId : null
    },
  }
}

function mac(key: ArrayBuffer, jobId: string): string {
  return createHmac('sha256', Buffer.from(key)).update(jobId).digest('base64url').slice(0, MAC_CHARS)
}
