import type { ApiKeys } from './api-keys.ts'
import type { JwtVerifier } from './jwt.ts'
import { type Authenticate, SCOPES, type Viewer } from './viewer.ts'
import { WATCH_TOKEN_PREFIX, type WatchTokens } from './watch-tokens.ts'

/** Every caller of a gateway that only its own machine can reach and that has no keys set. */
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
  /** Null where none are set; without either, everybody is `local`. */
  readonly apiKeys: Pick<ApiKeys, 'find'> | null
  readonly jwt: JwtVerifier | null
}

/**
 * Asks each kind of credential that is set: watch token, API key, JWT. A watch token counts for what it says everywhere,
 * so that a page that uses one behaves on a developer's machine as it will elsewhere.
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
