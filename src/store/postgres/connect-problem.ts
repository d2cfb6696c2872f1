import { DatabaseError } from 'pg'

/** As `server_version_num` counts: the first with `pg_current_xact_id`, which finds out what became of a COMMIT. */
const OLDEST_SERVER = 130_000

/** The server lacks functions that the gateway needs. */
export class OldServerError extends Error {
  override readonly name = 'OldServerError'
}

/** @throws {OldServerError} @param version as `server_version_num` has it: 120022 is version 12.22. */
export function checkServerVersion(version: number): void {
  if (version >= OLDEST_SERVER) return
  const found = version < 100_000 ? 'older than 10' : `${Math.floor(version / 10_000)}.${version % 10_000}`
  throw new OldServerError(`its version is ${found}, and at least PostgreSQL ${OLDEST_SERVER / 10_000} is needed`)
}

/** By the codes of the system, of its name lookups, and of PostgreSQL (appendix A of its manual). */
const PROBLEMS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (connection refused)',
  ECONNRESET: 'the connection was cut',
  ENOTFOUND: 'its host name cannot be resolved',
  EAI_AGAIN: 'its host name cannot be resolved: the name server does not answer',
  ETIMEDOUT: 'it does not answer',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'there is no route to it',
  ENOENT: 'there is no such socket',
  '28P01': 'it refuses the user or the password. Percent-encode special characters in both',
  '28000': 'it does not let this user in',
  '3D000': 'it has no database of that name',
  '42501': 'this user may not create tables there',
  '42P07': 'the database has tables of another program',
  '53300': 'it has too many connections already',
  '57P03': 'it is still starting',
}

/** Why a PostgreSQL could not be opened, in words; without the password, which drivers may repeat in their messages. */
export function describeConnectProblem(error: unknown): string {
  const [first] = error instanceof AggregateError ? (error.errors as readonly unknown[]) : [error]
  if (!(first instanceof Error)) return 'it cannot be used'
  if (first instanceof OldServerError) return first.message
  const code = 'code' in first && typeof first.code === 'string' ? first.code : ''
  const problem = PROBLEMS[code]
  if (problem !== undefined) return problem
  if (/time-?out/i.test(first.message)) return 'it does not answer'
  // What the server itself says; a driver's own message may quote the address.
  return first instanceof DatabaseError
    ? `it says "${first.message}" (${code})`
    : `the connection fails (${code || first.name})`
}
