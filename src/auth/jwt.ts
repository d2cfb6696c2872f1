/** Bearer tokens of an identity provider: JWTs, verified with the keys of its JWKS (RFC 7519, RFC 7517, RFC 8725). */
import { createRemoteJWKSet, customFetch, type FetchImplementation, jwtVerify, type JWTPayload } from 'jose'
import { isStorable } from '../domain/storable.ts'
import { readCapped } from '../lib/http/read-capped.ts'
import { type Scope, SCOPES, type Viewer } from './viewer.ts'

/** Asymmetric signatures only: a token must not choose a shared secret or `none`. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
/** Tolerated clock skew. */
const TOLERANCE_S = 5
const FETCH_TIMEOUT_MS = 5_000
/** Minimum time between two fetches of the keys caused by tokens with an unknown key. */
const COOLDOWN_MS = 30_000
/** A thousand RSA keys with certificates would fit. */
const MAX_KEYS_BYTES = 1_024 * 1_024
const MAX_TENANT_CHARS = 64

export interface JwtOptions {
  readonly jwksUrl: string
  readonly issuer: string
  readonly audience: string
}

/**
 * Verifies tokens and maps their claims to a viewer. The tenant is the `tenant` claim, or else the subject. The scopes
 * are the known ones of the `scope` claim (`swap:read swap:write`, RFC 8693 4.2); there may be none.
 */
export interface JwtVerifier {
  /** Null for an invalid token: wrong or missing signature, issuer, audience, tenant, time or `exp`. */
  verify(token: string): Promise<Viewer | null>
}

export function createJwtVerifier({ jwksUrl, issuer, audience }: JwtOptions): JwtVerifier {
  const keys = createRemoteJWKSet(new URL(jwksUrl), {
    timeoutDuration: FETCH_TIMEOUT_MS,
    cooldownDuration: COOLDOWN_MS,
    [customFetch]: fetchKeys,
  })
  return {
    verify: async (token) => {
      try {
        const { payload } = await jwtVerify(token, keys, {
          issuer,
          audience,
          algorithms: ALGORITHMS,
          requiredClaims: ['exp'],
          clockTolerance: TOLERANCE_S,
        })
        return toViewer(payload)
      } catch {
        // Also if the keys cannot be fetched: the token cannot be verified then.
        return null
      }
    },
  }
}

/** Reads at most MAX_KEYS_BYTES, after decompression. */
const fetchKeys: FetchImplementation = async (url, options) => {
  const response = await fetch(url, options)
  const body = response.body && (await readCapped(response.body, MAX_KEYS_BYTES))
  if (body === null) throw new Error('the key set is empty or too long')
  return new Response(new Uint8Array(body), { status: response.status, headers: response.headers })
}

function toViewer({ tenant: claimed, sub, exp, scope }: JWTPayload): Viewer | null {
  const tenant = claimed ?? sub
  if (typeof tenant !== 'string' || tenant === '' || tenant.length > MAX_TENANT_CHARS || exp === undefined) return null
  if (!isStorable(tenant)) return null
  const words = typeof scope === 'string' ? scope.split(' ') : []
  const scopes = words.filter((word): word is Scope => SCOPES.some((one) => one === word))
  return { tenant, scopes: new Set(scopes), jobIds: null, isAnonymous: false, expiresAt: exp * 1_000, revoked: null }
}
