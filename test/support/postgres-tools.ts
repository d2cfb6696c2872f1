/**
 * A PostgreSQL server of this machine together with its `pg_dump`, which refuses servers that are newer than itself: the
 * server from npm has no `pg_dump`. Tests that need it are skipped without it, and their titles say so.
 */
import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findFreePort } from '../faults/gateway-process.ts'
import { closeAfterTest } from './close-after-test.ts'
import { makeDataDir } from './test-app.ts'
import { until } from './until.ts'

const run = promisify(execFile)
/** Where Debian's packages put the programs of each version. */
const VERSIONS = '/usr/lib/postgresql'
const NEEDED = ['initdb', 'postgres', 'psql', 'pg_dump', 'pg_restore', 'createdb']

function findTools(): string | null {
  const versions = existsSync(VERSIONS) ? readdirSync(VERSIONS).toSorted((a, b) => Number(b) - Number(a)) : []
  const folders = versions.map((version) => join(VERSIONS, version, 'bin'))
  return folders.find((folder) => NEEDED.every((name) => existsSync(join(folder, name)))) ?? null
}

const tools = findTools()
export const hasPostgresTools = tools !== null
export const NOT_RUN = ' [not run: there is no PostgreSQL server with pg_dump in /usr/lib/postgresql]'

if (!hasPostgresTools && process.env['PG_DUMP_TESTS'] === 'required')
  throw new Error(`PG_DUMP_TESTS=required, and ${VERSIONS} has no server with pg_dump`)

export interface PostgresTools {
  readonly port: number
  /** The variables with which `psql`, `pg_dump` and the others use this server and its programs. */
  readonly env: Readonly<Record<string, string>>
}

/** Starts an empty server with the superuser `gateway`, who needs no password; stopped after the test. */
export async function openPostgresTools(): Promise<PostgresTools> {
  if (tools === null) throw new Error(NOT_RUN)
  const folder = await makeDataDir()
  const port = await findFreePort()
  const owner = findOwner()
  if (owner) chownSync(folder, owner.uid, owner.gid)
  const data = join(folder, 'data')
  await run(join(tools, 'initdb'), ['--username=gateway', '--auth=trust', '--no-sync', data], { cwd: folder, ...owner })
  const settings = ['listen_addresses=127.0.0.1', `unix_socket_directories=${folder}`, 'max_connections=50']
  const server = spawn(
    join(tools, 'postgres'),
    ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])],
    { cwd: folder, stdio: 'ignore', ...owner },
  )
  closeAfterTest(async () => {
    const ended = once(server, 'exit')
    // Disconnects clients, as `pg_ctl stop` does.
    server.kill('SIGINT')
    await ended
  })
  const env = { PATH: `${tools}:${process.env['PATH']}`, PGPORT: String(port), PGHOST: '127.0.0.1', PGUSER: 'gateway' }
  const isReady = async () => {
    if (server.exitCode !== null) throw new Error('the PostgreSQL server does not start')
    return run('psql', ['--dbname=postgres', '--command=select 1'], { env }).then(
      () => true,
      () => false,
    )
  }
  await until(isReady)
  return { port, env }
}

/** PostgreSQL refuses to run as root. */
function findOwner(): { readonly uid: number; readonly gid: number } | null {
  if (process.getuid?.() !== 0) return null
  const idOf = (option: string) => Number(execFileSync('id', [option, 'postgres'], { encoding: 'utf8' }))
  return { uid: idOf('-u'), gid: idOf('-g') }
}
