/** Messages to the operator about the PostgreSQL at startup. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { afterAll, expect, test } from 'vitest'
import { closeAfterTest } from '../support/close-after-test.ts'
import { createDatabase } from '../support/postgres.ts'
import { withRawDatabase } from '../support/raw-database.ts'
import { makeDataDir } from '../support/test-app.ts'
import { until } from '../support/until.ts'
import { findFreePorts, killLeftPrograms, runProgram, startProgram } from './program.ts'

afterAll(killLeftPrograms)

const SECRET = { GATEWAY_SECRET: 'a secret of sixteen' }

test('a database that does not exist stops the start with one line that names DATABASE_URL', async () => {
  const { url, drop } = await createDatabase()
  closeAfterTest(drop)
  const missing = new URL(url)
  missing.pathname = '/no_such_database'
  const env = { PORT: '0', LOCAL_UPSTREAM_PORT: '0', DATA_DIR: await makeDataDir(), ...SECRET }
  const { code, lines } = await runProgram({ ...env, DATABASE_URL: missing.href })
  expect(code).toBe(1)
  expect(lines).toEqual([
    expect.stringMatching(
      /^swapface-gateway cannot start: DATABASE_URL cannot be used: PostgreSQL at \S+: it has no database with this name\.$/,
    ),
  ])
})

test('a PostgreSQL older than 13 stops the start with one line, and no table is created', async () => {
  const { url, drop } = await createDatabase()
  closeAfterTest(drop)
  const [version] = (await withRawDatabase(url, async ({ query }) => query('show server_version_num'))) as [
    { server_version_num: string },
  ]
  // The proxy replaces the server's version by an older one.
  const old = await openRewriter(Number(new URL(url).port), version.server_version_num, '120022')
  const through = new URL(url)
  through.port = String(old.port)
  const env = { PORT: '0', LOCAL_UPSTREAM_PORT: '0', DATA_DIR: await makeDataDir(), ...SECRET }
  const { code, lines } = await runProgram({ ...env, DATABASE_URL: through.href })
  expect(code).toBe(1)
  expect(lines).toEqual([
    expect.stringMatching(
      /^swapface-gateway cannot start: DATABASE_URL cannot be used: PostgreSQL at \S+: its version is 12\.22, but the gateway requires PostgreSQL 13 or newer\.$/,
    ),
  ])
  const tables = "select * from information_schema.tables where table_schema = 'public'"
  expect(await withRawDatabase(url, async ({ query }) => query(tables))).toEqual([])
})

/** Opens a TCP proxy that replaces a text in the server's responses with another of the same length. */
async function openRewriter(toPort: number, text: string, by: string): Promise<{ readonly port: number }> {
  const server = createServer((client) => {
    const upstream = connect(toPort, '127.0.0.1')
    client.on('error', () => upstream.destroy()).pipe(upstream)
    upstream.on('error', () => client.destroy()).on('close', () => client.end())
    upstream.on('data', (chunk) => {
      const at = chunk.indexOf(text)
      if (at >= 0) chunk.write(by, at, 'latin1')
      client.write(chunk)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closeAfterTest(async () => {
    server.close()
    await once(server, 'close')
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
  return address
}

test('PostgreSQL with a folder of images warns that BLOB_URL must be shared', async () => {
  const { url, drop } = await createDatabase()
  closeAfterTest(drop)
  const env = { DATABASE_URL: url, ...SECRET }
  const program = await startProgram({ dataDir: await makeDataDir(), ...(await findFreePorts()), env })
  await until(() => program.output().includes('BLOB_URL is a folder, but processes on PostgreSQL share their images'))
  expect(await program.stop()).toBe(0)
})
