import { ApiKeysError, openApiKeys } from '../auth/api-keys.ts'
import { createAuthenticate } from '../auth/authenticate.ts'
import type { Authenticate } from '../auth/viewer.ts'
import type { WatchTokens } from '../auth/watch-tokens.ts'
import type { Config } from '../config/config.ts'
import { SettingError } from '../config/env.ts'
import type { Secrets } from '../config/secrets.ts'
import type { Telemetry } from '../telemetry/events.ts'

export interface Authentication {
  readonly authenticate: Authenticate
  /** Whether all callers belong to one tenant; false if that is not known, as with JWTs. */
  readonly hasOneTenant: () => boolean
  close(): void
}

/**
 * Opens the configured authentication: API keys, JWTs, or none. @throws {SettingError} if the API keys are not valid.
 */
export async function openAuthentication(
  { jwt }: Config,
  { apiKeys }: Secrets,
  watchTokens: WatchTokens,
  { backgroundFailed }: Telemetry,
): Promise<Authentication> {
  try {
    const keys = apiKeys === null ? null : openApiKeys(apiKeys, (error) => backgroundFailed('read the API keys', error))
    const verifier = jwt && (await import('../auth/jwt.ts')).createJwtVerifier(jwt)
    return {
      authenticate: createAuthenticate({ watchTokens, apiKeys: keys, jwt: verifier }),
      hasOneTenant: () => verifier === null && (keys === null || keys.countTenants() === 1),
      close: () => keys?.close(),
    }
  } catch (error) {
    throw error instanceof ApiKeysError ? new SettingError('API_KEYS', error.message) : error
  }
}
