/** Who may come in, over HTTP and over WebSocket: what a caller shows of itself, and how often it comes. */
import type { Authenticate, Credentials, Viewer } from '../../auth/viewer.ts'
import type { RequestLimiter } from '../../limits/limiter.ts'
import type { Caller } from './caller.ts'

export interface Admission {
  /** Null for a caller who has not shown to be anybody. */
  readonly authenticate: Authenticate
  /** Counts one operation. */
  count(viewer: Viewer): Promise<Caller>
}

export function createAdmission(authenticate: Authenticate, limiter: RequestLimiter): Admission {
  return { authenticate, count: async (viewer) => ({ viewer, allowance: await limiter.take(viewer.tenant) }) }
}

/**
 * What `connection_init` shows, for browsers cannot set headers, with or without its scheme; what it leaves open its
 * headers may have shown.
 */
export function readInitCredentials(payload: Readonly<Record<string, unknown>>, shown: Credentials): Credentials {
  const read = (...names: readonly string[]) =>
    names.map((name) => payload[name]).find((value): value is string => typeof value === 'string')
  const token = read('authorization', 'Authorization')
  return {
    authorization: token === undefined ? shown.authorization : token.includes(' ') ? token : `Bearer ${token}`,
    apiKey: read('x-api-key', 'X-API-Key') ?? shown.apiKey,
  }
}
