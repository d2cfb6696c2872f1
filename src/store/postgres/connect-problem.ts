import { DatabaseError } from 'pg'

/** In the form of `server_version_num`: the first with `pg_current_xact_id`, which resolves a lost COMMIT. */
const OLDEST_SERVER = 130_000

/** The server lacks functions that the gateway needs. */
export class OldServerError extends Error {
  override readonly name = 'OldServerError'
}

/** @throws {OldServerError} @param version in the form of `server_version_num`: 120022 is version 12.22. */
export function checkServerVersion(version: number): void {
  if (version >= OLDEST_SERVER) return
  const found = version < 100_000 ? 'older than 10' : `${Math.floor(version / 10_000)}.${version % 10_000}`
  throw new OldServerError(
    `its version is ${found}, but the gateway requires PostgreSQL ${OLDEST_SERVER / 10_000} or newer`,
  )
}

/** By error code of the system, of name lookups, or of PostgreSQL (appendix A of its manual). */
const PROBLEMS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (connection refused)',
  ECONNRESET: 'the connection was cut',
  ENOTFOUND: 'its host name cannot be resolved',
  EAI_AGAIN: 'its host name cannot be resolved: the name server does not respond',
  ETIMEDOUT: 'it does not respond',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'there is no route to it',
  ENOENT: 'its socket does not exist',
  '28P01': 'it refuses the user or the password. Percent-encode special characters in both',
  '28000': 'it does not allow this user to connect',
  '3D000': 'it has no database with this name',
  '42501': 'this user may not create tables there',
  '42P07': 'the database has tables of another program',
  '53300': 'it has too many connections already',
  '57P03': 'it is still starting',
}

/** Describes why PostgreSQL could not be opened, without the password, which a driver's message may contain. */
export function describeConnectProblem(error: unknown): string {
  const [first] = error instanceof AggregateError ? (error.errors as readonly unknown[]) : [error]
  if (!(first instanceof Error)) return 'it cannot be used'
  if (first instanceof OldServerError) return first.message
  const code = 'code' in first && typeof first.code === 'string' ? first.code : ''
  const problem = PROBLEMS[code]
  if (problem !== undefined) return problem
  if (/time-?out/i.test(first.message)) return 'it does not respond'
  // Only the server's own message: a driver's message may contain the address.
  return first instanceof DatabaseError
    ? `it says "${first.message}" (${code})`
    : `the connection fails (${code || first.name})`
}
