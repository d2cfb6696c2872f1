import type { ApiKeys } from './api-keys.ts'
import type { JwtVerifier } from './jwt.ts'
import { type Authenticate, SCOPES, type Viewer } from './viewer.ts'
import { WATCH_TOKEN_PREFIX, type WatchTokens } from './watch-tokens.ts'

/** Every caller of a gateway without keys and JWTs, which only its own machine can reach. */
export const localViewer: Viewer = {
  tenant: 'local',
  scopes: new Set(SCOPES),
  jobIds: null,
  isAnonymous: true,
  expiresAt: null,
  revoked: null,
}

export interface AuthenticateParts {
  readonly watchTokens: Pick<WatchTokens, 'verify'>
  /** Null if no keys are configured. Without keys and JWTs, every caller is `local`. */
  readonly apiKeys: Pick<ApiKeys, 'find'> | null
  readonly jwt: JwtVerifier | null
}

/**
 * Tries each configured kind of credential: watch token, API key, JWT. Watch tokens are verified even if nothing is
 * configured, so that a page behaves alike in development and in production.
 */
export function createAuthenticate({ watchTokens, apiKeys, jwt }: AuthenticateParts): Authenticate {
  return async ({ authorization, apiKey }) => {
    const shown = readBearer(authorization) ?? apiKey
    if (shown?.startsWith(WATCH_TOKEN_PREFIX)) return watchTokens.verify(shown)
    if (apiKeys === null && jwt === null) return localViewer
    if (shown === null) return null
    return apiKeys?.find(shown) ?? (await jwt?.verify(shown)) ?? null
  }
}

/** RFC 6750, 2.1. */
function readBearer(authorization: string | null): string | null {
  return /^Bearer +(\S+)$/i.exec(authorization?.trim() ?? '')?.[1] ?? null
}
