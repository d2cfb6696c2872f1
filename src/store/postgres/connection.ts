/** The connections to PostgreSQL. */
import { Pool, types } from 'pg'

const CONNECTIONS = 10
/** If the server does not respond within this time, the connection is presumed lost. */
const TIMEOUT_MS = 5_000

/**
 * Creates a pool that connects on demand. A commit is on disk when it resolves (`synchronous_commit`, whatever the
 * server's default).
 * @param onConnectionLost called when a connection is lost, perhaps twice. The statements in progress on it also
 * reject.
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
    // Sends statements without awaiting earlier ones: a group of writes takes one round trip.
    pipeline: true,
    options: '-c synchronous_commit=on',
    types: {
      getTypeParser: (type, format) => (type === types.builtins.INT8 ? Number : types.getTypeParser(type, format)),
    },
  })
  // The pool reports the loss of idle connections only; a connection in use reports its own.
  pool.on('error', onConnectionLost)
  pool.on('connect', (client) => client.on('error', onConnectionLost))
  return pool
}
