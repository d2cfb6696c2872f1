import { startPostgres } from './postgres.ts'

/** Global setup: starts the server and puts it into the tests' environment. @returns the teardown. */
export async function setup(): Promise<() => Promise<void>> {
  const server = await startPostgres()
  process.env['TEST_DATABASE_URL'] = server.url
  return server.stop
}
