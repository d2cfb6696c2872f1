/**
 * The hook address of a job: `<public url>/hooks/swapface/<job id>.<mac>`. The upstream does not sign its hooks, so
 * the address itself proves that whoever calls it was given it by us for this job. The mac is checked without asking
 * the database; what the hook says is only a hint all the same.
 */
import { createSigner } from '../../lib/crypto/signer.ts'

export interface HookAddresses {
  addressOf(jobId: string): string
  /** The job a token was made for; null when the token is not ours. Takes the same time for every wrong mac. */
  parseToken(token: string): string | null
}

/** 128 bits in base64url. */
const MAC_CHARS = 22

/** @param secrets the first signs, all verify: so a secret is rotated. */
export function createHookAddresses(publicUrl: string, secrets: readonly [string, ...string[]]): HookAddresses {
  const signer = createSigner(secrets, 'swapface hook token', MAC_CHARS)
  const base = `${publicUrl.replace(/\/$/, '')}/hooks/swapface/`
  return {
    addressOf: (jobId) => `${base}${jobId}.${signer.sign(jobId)}`,
    parseToken: (token) => {
      const dot = token.length - MAC_CHARS - 1
      if (dot < 1 || token[dot] !== '.') return null
      const jobId = token.slice(0, dot)
      return signer.isSigned(jobId, token.slice(dot + 1)) ? jobId : null
    },
  }
}
