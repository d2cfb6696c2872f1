import type { Scope, Viewer } from '../../src/auth/viewer.ts'

/** Returns a viewer of the tenant, with the read scope unless `over` overrides it. */
export function viewerOf(
  tenant: string,
  over: { readonly scopes?: readonly Scope[]; readonly jobIds?: readonly string[] } = {},
): Viewer {
  const jobIds = over.jobIds ? new Set(over.jobIds) : null
  const scopes = new Set(over.scopes ?? ['swap:read' as const])
  return { tenant, scopes, jobIds, isAnonymous: false, expiresAt: null, revoked: null }
}
