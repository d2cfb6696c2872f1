/**
 * The authenticated caller and its permissions. A job belongs to the tenant that created it; only this module decides
 * whether a viewer may see a job.
 */
import type { IncomingMessage } from 'node:http'
import { GatewayError } from '../domain/errors.ts'
import { readHeader } from '../lib/http/request-head.ts'

export const SCOPES = ['swap:read', 'swap:write', 'swap:admin'] as const
/** `swap:admin` includes the other two. */
export type Scope = (typeof SCOPES)[number]

export interface Viewer {
  readonly tenant: string
  readonly scopes: ReadonlySet<Scope>
  /** The only jobs that may be read and watched, by gateway id; null: all of the tenant's. */
  readonly jobIds: ReadonlySet<string> | null
  /** Whether the caller presented no credential: only on a loopback listener without keys. */
  readonly isAnonymous: boolean
  /** When the credential expires, epoch milliseconds; null: never. Streams end with it. */
  readonly expiresAt: number | null
  /** Aborts when the credential is revoked; null if it cannot be. */
  readonly revoked: AbortSignal | null
}

/** Lets a browser read and watch the jobs that it names. */
export interface WatchToken {
  readonly token: string
  readonly expiresAt: number
}

/** The credentials of a request, not verified. */
export interface Credentials {
  /** `Authorization`, scheme included. */
  readonly authorization: string | null
  /** `X-API-Key`. */
  readonly apiKey: string | null
}

/** Reads the credentials from the headers of a request. */
export function readCredentials(request: IncomingMessage): Credentials {
  return { authorization: readHeader(request, 'authorization'), apiKey: readHeader(request, 'x-api-key') }
}

/** Resolves to null if the credential is missing, invalid, expired or revoked. Never says which. */
export type Authenticate = (credentials: Credentials) => Promise<Viewer | null>

/** @throws {GatewayError} code FORBIDDEN if the viewer lacks the scope. */
export function requireScope(viewer: Viewer, scope: Scope): void {
  if (!hasScope(viewer, scope)) throw new GatewayError('FORBIDDEN', `The credential lacks the scope ${scope}.`)
}

/** @throws {GatewayError} code FORBIDDEN if the viewer is limited to some jobs: totals would reveal other jobs. */
export function requireAllJobs({ jobIds }: Viewer): void {
  if (jobIds !== null)
    throw new GatewayError('FORBIDDEN', 'A watch token can read only its own job. Send an API key or a JWT.')
}

export function hasScope({ scopes }: Viewer, scope: Scope): boolean {
  return scopes.has(scope) || scopes.has('swap:admin')
}

/** Whether the viewer may read and watch the job; if not, callers treat the job as unknown. */
export function maySee(viewer: Viewer, job: { readonly id: string; readonly tenant: string }): boolean {
  return job.tenant === viewer.tenant && (viewer.jobIds === null || viewer.jobIds.has(job.id))
}

/** Whether one connection of this caller may serve many users, as a federation router's connection does. */
export function mayServeMany({ jobIds, isAnonymous }: Viewer): boolean {
  return jobIds === null && !isAnonymous
}

/** Returns a key that is equal for viewers that get equal responses. */
export function toViewerKey({ tenant, scopes, jobIds }: Viewer): string {
  return JSON.stringify([tenant, [...scopes], jobIds && [...jobIds]])
}
