import { startPostgres } from './postgres.ts'

/** Before all tests: they find the server in their environment. The returned function runs after them. */
export async function setup(): Promise<() => Promise<void>> {
  const server = await startPostgres()
  process.env['TEST_DATABASE_URL'] = server.url
  return server.stop
}
