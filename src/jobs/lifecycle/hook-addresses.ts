/**
 * The hook address of a job: `<public url>/hooks/swapface/<job id>.<mac>`. The upstream does not sign its hooks, so the
 * address itself proves that the gateway issued it for this job. The MAC is checked without a database query. The
 * hook's body is still only a hint.
 */
import { createSigner } from '../../lib/crypto/signer.ts'

export interface HookAddresses {
  addressOf(jobId: string): string
  /** Returns the job id of a token; null if the gateway did not issue it. Compares the MAC in constant time. */
  parseToken(token: string): string | null
}

/** 128 bits in base64url. */
const MAC_CHARS = 22

/** @param secrets the first one signs, all verify, so that secrets can be rotated. */
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
