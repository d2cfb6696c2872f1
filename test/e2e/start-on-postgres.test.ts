/** What an operator is told about the PostgreSQL that the program is started with. */
import { afterAll, expect, test } from 'vitest'
import { closeAfterTest } from '../support/close-after-test.ts'
import { createDatabase } from '../support/postgres.ts'
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
      /^swapface-gateway cannot start: DATABASE_URL cannot be used: PostgreSQL at \S+: it has no database of that name\.$/,
    ),
  ])
})

test('PostgreSQL with a folder of images warns that BLOB_URL must be shared', async () => {
  const { url, drop } = await createDatabase()
  closeAfterTest(drop)
  const env = { DATABASE_URL: url, ...SECRET }
  const program = await startProgram({ dataDir: await makeDataDir(), ...(await findFreePorts()), env })
  await until(() => program.output().includes('BLOB_URL is a folder: all processes that share the PostgreSQL must see'))
  expect(await program.stop()).toBe(0)
})
