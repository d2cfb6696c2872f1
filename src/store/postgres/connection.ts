/** The connections to PostgreSQL. */
import { Pool, types } from 'pg'

const CONNECTIONS = 10
/** A connection that takes longer than this for an answer is taken for lost. */
const TIMEOUT_MS = 5_000

/**
 * Connects on demand. A commit is on disk when it is answered (`synchronous_commit`, whatever the server's default).
 * @param onConnectionLost called when a connection was cut; perhaps twice. The statements under way on it reject as well.
 */
export function createPool(url: string, onConnectionLost: (error: Error) => void): Pool {
  const pool = new Pool({
    connectionString: url,
    application_name: 'swapface-gateway',
    max: CONNECTIONS,
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
    statement_timeout: TIMEOUT_MS,
    idle_in_transaction_session_timeout: TIMEOUT_MS,
    keepAlive: true,
    // Statements that do not wait for each other's answers are sent together: a group of writes takes one round trip.
    pipeline: true,
    options: '-c synchronous_commit=on',
    types: {
      getTypeParser: (type, format) => (type === types.builtins.INT8 ? Number : types.getTypeParser(type, format)),
    },
  })
  // The pool reports idle connections; one in use, between two statements, only reports itself.
  pool.on('error', onConnectionLost)
  pool.on('connect', (client) => client.on('error', onConnectionLost))
  return pool
}
