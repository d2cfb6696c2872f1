/**
 * The authenticated caller, and what it may do. A job belongs to the tenant of the viewer who made it; whose it is,
 * and whether this viewer may see it, is said here and nowhere else.
 */
import type { IncomingMessage } from 'node:http'
import { GatewayError } from '../domain/errors.ts'
import { readHeader } from '../lib/http/request-head.ts'

export const SCOPES = ['swap:read', 'swap:write', 'swap:admin'] as const
/** `swap:admin` holds the other two. */
export type Scope = (typeof SCOPES)[number]

export interface Viewer {
  readonly tenant: string
  readonly scopes: ReadonlySet<Scope>
  /** The only jobs that may be read and watched, by gateway id; null: all of the tenant's. */
  readonly jobIds: ReadonlySet<string> | null
  /** Whether the caller presented no credential: only on a loopback listener without keys. */
  readonly isAnonymous: boolean
  /** When what the caller showed ends, epoch milliseconds; null: never. Streams end with it. */
  readonly expiresAt: number | null
  /** Aborts when what the caller showed is taken back; null where it cannot be. */
  readonly revoked: AbortSignal | null
}

/** What a browser is handed to read and watch some jobs with. */
export interface WatchToken {
  readonly token: string
  readonly expiresAt: number
}

/** What a caller shows of itself, as it came. */
export interface Credentials {
  /** `Authorization`, scheme included. */
  readonly authorization: string | null
  /** `X-API-Key`. */
  readonly apiKey: string | null
}

/** What the headers of a request show. */
export function readCredentials(request: IncomingMessage): Credentials {
  return { authorization: readHeader(request, 'authorization'), apiKey: readHeader(request, 'x-api-key') }
}

/** Resolves to null for whoever shows nothing, or something that is not good (any more). Never says which. */
export type Authenticate = (credentials: Credentials) => Promise<Viewer | null>

/** @throws {GatewayError} code FORBIDDEN when the viewer has not been given the scope. */
export function requireScope(viewer: Viewer, scope: Scope): void {
  if (!hasScope(viewer, scope)) throw new GatewayError('FORBIDDEN', `The credential lacks the scope ${scope}.`)
}

/** @throws {GatewayError} code FORBIDDEN for a viewer that may see some jobs only: sums tell of the others. */
export function requireAllJobs({ jobIds }: Viewer): void {
  if (jobIds !== null)
    throw new GatewayError('FORBIDDEN', 'A watch token can read only its own job. Send an API key or a JWT.')
}

export function hasScope({ scopes }: Viewer, scope: Scope): boolean {
  return scopes.has(scope) || scopes.has('swap:admin')
}

/** Whether the viewer may read and watch the job; one that it may not looks like one that does not exist. */
export function maySee(viewer: Viewer, job: { readonly id: string; readonly tenant: string }): boolean {
  return job.tenant === viewer.tenant && (viewer.jobIds === null || viewer.jobIds.has(job.id))
}

/** Whether one connection of this caller may serve many users, as that of a federation router does. */
export function mayServeMany({ jobIds, isAnonymous }: Viewer): boolean {
  return jobIds === null && !isAnonymous
}

/** Equal for viewers who are given equal answers. */
export function toViewerKey({ tenant, scopes, jobIds }: Viewer): string {
  return JSON.stringify([tenant, [...scopes], jobIds && [...jobIds]])
}
