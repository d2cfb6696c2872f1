/**
 * Watch tokens: `swt_<claims>.<mac>`. A token lets a browser read and watch the jobs it names for an hour, and nothing
 * else. Tokens are not stored: the MAC proves that the gateway issued them.
 */
import { createSigner } from '../lib/crypto/signer.ts'
import type { Viewer, WatchToken } from './viewer.ts'

export const WATCH_TOKEN_PREFIX = 'swt_'
/** Longer than any swap takes: queueing, processing, and the deadline of a job whose submit got no response. */
const GOOD_FOR_MS = 60 * 60 * 1_000
const MAX_TOKEN_CHARS = 1_024

export interface WatchTokens {
  issue(job: { readonly id: string; readonly tenant: string }): WatchToken
  /** Returns the viewer of a token; null if the gateway did not issue it, or it has expired. */
  verify(token: string): Viewer | null
}

/** @param secrets the first one signs, all verify, so that secrets can be rotated. */
export function createWatchTokens(secrets: readonly [string, ...string[]], now: () => number): WatchTokens {
  const signer = createSigner(secrets, 'swapface watch token')
  return {
    issue: ({ id, tenant }) => {
      const expiresAt = now() + GOOD_FOR_MS
      const claims = Buffer.from(JSON.stringify([tenant, expiresAt, id])).toString('base64url')
      return { token: `${WATCH_TOKEN_PREFIX}${claims}.${signer.sign(claims)}`, expiresAt }
    },
    verify: (token) => {
      if (!token.startsWith(WATCH_TOKEN_PREFIX) || token.length > MAX_TOKEN_CHARS) return null
      const [claims = '', given = ''] = token.slice(WATCH_TOKEN_PREFIX.length).split('.')
      if (!signer.isSigned(claims, given)) return null
      // The MAC proves that `issue` wrote it.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      const [tenant, expiresAt, ...jobIds] = JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')) as [
        string,
        number,
        ...string[],
      ]
      if (expiresAt <= now()) return null
      return {
        tenant,
        scopes: new Set(['swap:read']),
        jobIds: new Set(jobIds),
        isAnonymous: false,
        expiresAt,
        revoked: null,
      }
    },
  }
}
