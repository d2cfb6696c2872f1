import type { Scope, Viewer } from '../../src/auth/viewer.ts'

/** A caller with a credential of the tenant: one that may read, unless `over` says otherwise. */
export function viewerOf(
  tenant: string,
  over: { readonly scopes?: readonly Scope[]; readonly jobIds?: readonly string[] } = {},
): Viewer {
  const jobIds = over.jobIds ? new Set(over.jobIds) : null
  const scopes = new Set(over.scopes ?? ['swap:read' as const])
  return { tenant, scopes, jobIds, isAnonymous: false, expiresAt: null, revoked: null }
}
