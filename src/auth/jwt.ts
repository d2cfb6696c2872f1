/** Bearer tokens of an identity provider: JWTs, verified with the keys of its JWKS (RFC 7519, RFC 7517, RFC 8725). */
import { createRemoteJWKSet, customFetch, type FetchImplementation, jwtVerify, type JWTPayload } from 'jose'
import { isStorable } from '../domain/storable.ts'
import { readCapped } from '../lib/http/read-capped.ts'
import { type Scope, SCOPES, type Viewer } from './viewer.ts'

/** Signatures with a public key only: a token must not choose to be checked with a secret, or not at all. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
/** Clocks differ. */
const TOLERANCE_S = 5
const FETCH_TIMEOUT_MS = 5_000
/** A token with an unknown key has the keys fetched anew, no more often than this. */
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
 * Who a token speaks for: the tenant is its `tenant` claim, or else its subject; what it may do is its `scope` claim
 * (`swap:read swap:write`, RFC 8693 4.2), and nothing where that names none of ours.
 */
export interface JwtVerifier {
  /** Null for a token that is not good: wrong or no signature, issuer, audience, time, or no `exp`. */
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
        // Whatever is wrong with it, or with getting the keys: it is not shown to be good.
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
