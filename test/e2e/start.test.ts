/** A failed start prints one line on standard error that names the setting. */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rm } from 'node:fs/promises'
import Database from 'libsql'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FAKE_KEY, openFakeUpstream } from '../support/fake-upstream.ts'
import { holdSubmit } from '../support/hold-submit.ts'
import { postGraphql } from '../support/test-app.ts'
import { until } from '../support/until.ts'
import { findFreePorts, killLeftPrograms, parseLines, runProgram, startProgram } from './program.ts'

let dataDir = ''
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'swapface-start-'))
})
afterEach(async () => rm(dataDir, { recursive: true, force: true }))
afterAll(killLeftPrograms)

const KEYS = { API_KEYS: `acme:${'ab'.repeat(32)}`, GATEWAY_SECRET: 'a secret of sixteen' }
/** Uses no embedded upstream, because its engine would warm up during the test. */
const NO_ENGINE = { TTAPI_KEY: 'k', TTAPI_URL: 'http://127.0.0.1:1' }
const POSTGRES = { GATEWAY_SECRET: 'a secret of sixteen' }

async function failToStart(env: Record<string, string>): Promise<string> {
  const { code, lines } = await runProgram({
    PORT: '0',
    LOCAL_UPSTREAM_PORT: '0',
    DATA_DIR: join(dataDir, 'data'),
    ...env,
  })
  expect([code, lines]).toEqual([1, [expect.stringMatching(/^swapface-gateway cannot start: [A-Z._]+ .*$/)]])
  return lines[0]?.slice('swapface-gateway cannot start: '.length) ?? ''
}

/** Runs `work` while another listener uses the port. */
async function withTakenPort(work: (port: string) => Promise<void>): Promise<void> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  try {
    await work(String(typeof address === 'object' ? address?.port : 0))
  } finally {
    await once(server.close(), 'close')
  }
}

test.each([
  [{ HOST: 'http://127.0.0.1' }, 'HOST must be a name or an address, without http://'],
  [{ HOST: 'no-such-host.invalid', ...KEYS }, 'HOST "no-such-host.invalid" cannot be resolved'],
  [{ HOST: '192.0.2.1', ...KEYS }, 'HOST "192.0.2.1" is not an address of this machine'],
  [{ ADMIN_HOST: 'http://127.0.0.1' }, 'ADMIN_HOST must be a name or an address, without http://'],
  [
    { ...NO_ENGINE, ADMIN_HOST: '192.0.2.1', ADMIN_PORT: '4001' },
    'ADMIN_HOST "192.0.2.1" is not an address of this machine',
  ],
  [{ PORT: '4001', ADMIN_PORT: '4001' }, 'ADMIN_PORT must differ from PORT: both are 4001'],
  [{ FAULT_AT: 'nowhere' }, 'FAULT_AT must be one of'],
  [{ ALLOWED_PRIVATE_HOSTS: 'http://10.0.0.5' }, 'ALLOWED_PRIVATE_HOSTS must list hosts'],
  [{ TTAPI_KEY: 'a\u0007b' }, 'TTAPI_KEY contains a control character'],
  [{ AWS_ACCESS_KEY_ID: 'a' }, 'AWS_SECRET_ACCESS_KEY must be set'],
  [{ API_KEYS: 'file:/nowhere/keys' }, 'API_KEYS names a file that cannot be read'],
  [{ SWAPFACE_MODELS_DIR: '/nowhere' }, 'SWAPFACE_MODELS_DIR is set. The neural models cannot be used'],
  [{ BLOB_URL: 's3://bucket' }, 'BLOB_URL cannot be used'],
  [{ BLOB_URL: 'file:/dev/null/images' }, 'BLOB_URL cannot be used: a part of the path is a file'],
  [{ DATA_DIR: '/dev/null' }, 'DATA_DIR cannot be used: a part of the path is a file'],
  [
    { DATABASE_URL: 'postgres://u:50%off@127.0.0.1/x' },
    'DATABASE_URL must have the special characters of its password',
  ],
  [
    { DATABASE_URL: 'postgres://u:secret@127.0.0.1:1/x', ...POSTGRES },
    'DATABASE_URL cannot be used: PostgreSQL at 127.0.0.1:1: nothing listens there',
  ],
  [
    { DATABASE_URL: 'postgres://u:secret@no-such-host.invalid/x', ...POSTGRES },
    'DATABASE_URL cannot be used: PostgreSQL at no-such-host.invalid: its host name cannot be resolved',
  ],
])('%j stops the start with one line', async (env, line) => {
  const said = await failToStart(env)
  expect(said).toContain(line)
  expect(said).not.toMatch(/secret@|50%off|:secret/)
})

test('a port in use stops the start with a line that names ADMIN_PORT, and says how to do without the metrics', async () => {
  await withTakenPort(async (port) => {
    expect(await failToStart({ ...NO_ENGINE, ADMIN_PORT: port })).toBe(
      `ADMIN_PORT ${port} is in use by another process. Stop that process, or choose another port. ADMIN_PORT=0 turns the metrics off.`,
    )
  })
})

test('a port in use stops the start with a line that names PORT', async () => {
  await withTakenPort(async (port) => {
    expect(await failToStart({ PORT: port })).toBe(
      `PORT ${port} is in use by another process. Stop that process, or choose another port.`,
    )
  })
})

test('a port in use stops the start with a line that names LOCAL_UPSTREAM_PORT', async () => {
  await withTakenPort(async (port) => {
    expect(await failToStart({ LOCAL_UPSTREAM_PORT: port })).toBe(
      `LOCAL_UPSTREAM_PORT ${port} is in use by another process. Stop that process, or choose another port.`,
    )
  })
})

test('the data of another program is refused and not changed', async () => {
  const folder = join(dataDir, 'data')
  mkdirSync(folder)
  const database = new Database(join(folder, 'gateway.db'))
  database.exec('create table jobs (id text)')
  database.close()
  expect(await failToStart({})).toBe('DATA_DIR names a database of another program. Choose another path.')
  const again = new Database(join(folder, 'gateway.db'))
  expect(again.prepare('select name from sqlite_master').all()).toEqual([{ name: 'jobs' }])
  again.close()

  writeFileSync(join(folder, 'gateway.db'), 'a text, and no database at all. '.repeat(100))
  expect(await failToStart({})).toBe('DATA_DIR names a database of another program. Choose another path.')
})

test('a folder at the path of the database stops the start', async () => {
  mkdirSync(join(dataDir, 'folder'))
  expect(await failToStart({ DATABASE_URL: `file:${join(dataDir, 'folder')}` })).toBe(
    'DATABASE_URL cannot be used: the file cannot be opened: it is a folder, or this user may not write there.',
  )
})

test('an empty secret file stops the start', async () => {
  writeFileSync(join(dataDir, 'gateway-secret'), '')
  expect(await failToStart({ DATA_DIR: dataDir })).toMatch(/^DATA_DIR cannot be used: its file gateway-secret/)
})

test('SIGTERM in the middle of the start stops it cleanly', async () => {
  const { code } = await runProgram(
    { ...NO_ENGINE, PORT: '0', DATA_DIR: dataDir },
    { stopOnce: () => readdirSync(dataDir).length > 0 },
  )
  expect(code).toBe(0)
})

describe('while a gateway runs', () => {
  test('a second one on its DATA_DIR is refused; after kill -9 the next one starts', { timeout: 60_000 }, async () => {
    const first = await startProgram({ dataDir, ...(await findFreePorts()), env: NO_ENGINE })
    expect(await failToStart({ DATA_DIR: dataDir })).toMatch(/^DATA_DIR is in use by another gateway process\./)
    await first.kill()
    const next = await startProgram({ dataDir, ...(await findFreePorts()), env: NO_ENGINE })
    expect(await next.stop()).toBe(0)
  })

  test('a second gateway on its database is refused, even with another DATA_DIR', { timeout: 60_000 }, async () => {
    const first = await startProgram({ dataDir, ...(await findFreePorts()), env: NO_ENGINE })
    const DATABASE_URL = `file:${join(dataDir, 'gateway.db')}`
    expect(await failToStart({ DATABASE_URL })).toMatch(/^DATABASE_URL names a database that another gateway process/)
    expect(await first.stop()).toBe(0)
  })
})

describe('.env', () => {
  const startIn = async (bytes: string | Buffer) => {
    writeFileSync(join(dataDir, '.env'), bytes)
    return runProgram({}, { cwd: dataDir })
  }

  test('is read with a byte order mark', async () => {
    expect((await startIn('\uFEFFPORT=nope\r\n')).output).toContain('cannot start: PORT must be a port number')
  })

  test('in UTF-16 stops the start', async () => {
    const { code, lines } = await startIn(Buffer.from('\uFEFFPORT=1\n', 'utf16le'))
    expect([code, lines]).toEqual([1, [expect.stringContaining('.env is UTF-16')]])
  })

  test('that is a folder stops the start', async () => {
    mkdirSync(join(dataDir, '.env'))
    const { code, lines } = await runProgram({}, { cwd: dataDir })
    expect([code, lines]).toEqual([1, [expect.stringContaining('.env cannot be read: it is a folder')]])
  })
})

test('a mistyped setting is reported at startup, with the setting that it resembles', { timeout: 60_000 }, async () => {
  const program = await startProgram({ dataDir, ...(await findFreePorts()), env: { ...NO_ENGINE, TTAPI_KEYS: 'x' } })
  await until(() => program.output().includes('TTAPI_KEYS'))
  expect(program.output()).toContain('TTAPI_KEYS is not a setting and is ignored. Did you mean TTAPI_KEY?')
  await program.stop()
})

test(
  'a gateway that can spend generates a key, and logs where it is, not what it is, and a swap that costs nothing',
  { timeout: 60_000 },
  async () => {
    const ports = await findFreePorts()
    const program = await startProgram({
      dataDir,
      ...ports,
      env: { ...NO_ENGINE, PUBLIC_URL: 'https://swap.example.com' },
    })
    const { apiKeyFile, example } = program.readyLine()
    const key = readFileSync(String(apiKeyFile), 'utf8')
    const [, printed = ''] = / -d '(.*)'$/.exec(example.start) ?? []
    const response = await fetch(`${program.url}/graphql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: printed,
    })
    expect([response.status, await response.json()]).toMatchObject([
      200,
      { data: { createSwap: { code: 'INVALID_INPUT' } } },
    ])
    expect(example.start).toContain("-H 'authorization: Bearer YOUR_KEY'")
    expect(program.output()).not.toContain(key)
    await program.stop()
  },
)

test(
  'a program whose output is a pipe writes only JSON lines: starting, ready, draining and stopped, without secrets',
  { timeout: 60_000 },
  async () => {
    const { port, upstreamPort } = await findFreePorts()
    const env = { ...NO_ENGINE, ...KEYS, REST_DOOR: 'on', TENANT_MAX_IN_FLIGHT: '7', LOG_LEVEL: 'info' }
    const program = await startProgram({ dataDir, port, upstreamPort, env })
    await program.stop()
    const [starting] = program.lines()
    expect(starting).toMatchObject({
      level: 30,
      msg: 'starting',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      node: process.version,
      database: 'sqlite',
      upstream: NO_ENGINE.TTAPI_URL,
      settings: { API_KEYS: 'set', GATEWAY_SECRET: 'set', TTAPI_KEY: 'set', TENANT_MAX_IN_FLIGHT: 7, REST_API: 'on' },
    })
    expect(Object.keys(starting?.['settings'] ?? {})).not.toContain('LOG_LEVEL')
    expect(program.readyLine()).toMatchObject({ url: program.url, publicUrl: program.url, embedded: false })
    const messages = program.lines().map(({ msg }) => msg)
    expect(messages).toContain('REST_DOOR is now called REST_API. Rename it: the old name still works.')
    expect(program.lines().slice(-2)).toMatchObject([
      { msg: 'draining', signal: 'SIGTERM', drainReadyMs: 0 },
      { msg: 'stopped', durationMs: expect.any(Number) },
    ])
    for (const secret of Object.values(KEYS)) expect(program.output()).not.toContain(secret)
  },
)

test('LOG_LEVEL=silent leaves only the line that says that the program is ready', { timeout: 60_000 }, async () => {
  const env = { ...NO_ENGINE, LOG_LEVEL: 'silent' }
  const program = await startProgram({ dataDir, ...(await findFreePorts()), env })
  await program.stop()
  expect(program.lines()).toEqual([program.readyLine()])
})

test(
  'npm start passes SIGTERM on to the gateway, and ends with it and its exit code',
  { timeout: 60_000 },
  async () => {
    const { port } = await findFreePorts()
    const env = {
      ...process.env,
      ...NO_ENGINE,
      PORT: String(port),
      DATA_DIR: dataDir,
      npm_config_update_notifier: 'false',
    }
    const child = spawn('npm', ['start', '--silent'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    await until(() => /is ready.*\n/.test(output))
    child.kill('SIGTERM')
    const [code] = (await once(child, 'exit')) as [number | null]
    expect(code).toBe(0)
    expect(parseLines(output).at(-1)).toMatchObject({ msg: 'stopped' })
  },
)

const hasTerminal = existsSync('/usr/bin/script')
test.skipIf(!hasTerminal)(
  `on a terminal the program prints a banner and readable lines${hasTerminal ? '' : ' [not run: there is no script(1)]'}`,
  { timeout: 60_000 },
  async () => {
    const { port } = await findFreePorts()
    const env = { PATH: process.env['PATH'], TERM: 'dumb', ...NO_ENGINE, PORT: String(port), DATA_DIR: dataDir }
    const child = spawn('/usr/bin/script', ['-qec', `exec ${process.execPath} dist/main.js`, '/dev/null'], { env })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    await until(() => output.includes('Watch it, with the id'))
    expect(output).toContain('swapface-gateway is ready.')
    expect(output).toContain(`  GraphQL    http://127.0.0.1:${port}/graphql  (GraphiQL in a browser)`)
    expect(output).not.toContain('{"level"')
    // Ctrl-C, as a terminal sends it.
    child.stdin.write('\u0003')
    const [code] = (await once(child, 'exit')) as [number]
    expect(code).toBe(0)
  },
)

test(
  'after Ctrl-C, which npm sends twice, a submit in progress finishes and its caller gets the response',
  { timeout: 60_000 },
  async () => {
    const upstream = await openFakeUpstream()
    const program = await startProgram({
      dataDir,
      ...(await findFreePorts()),
      env: { TTAPI_KEY: FAKE_KEY, TTAPI_URL: upstream.url },
    })
    try {
      const release = holdSubmit(upstream)
      const images =
        'targetImage: { url: "https://example.com/a.jpg" }, swapImage: { url: "https://example.com/b.jpg" }'
      const answer = postGraphql(
        program.url,
        `mutation { createSwap(input: { ${images} }) { ... on CreateSwapSuccess { job { status } } } }`,
      )
      await until(() => upstream.accepted.length === 1)
      for (let n = 0; n < 3; n += 1) program.signal('SIGINT')
      // The signals have arrived once the gateway refuses connections.
      await until(async () => (await fetch(`${program.url}/healthz`).catch(() => null))?.ok !== true)
      release()
      expect((await answer).data).toEqual({ createSwap: { job: { status: 'ON_QUEUE' } } })
      expect(await program.stop()).toBe(0)
    } finally {
      await upstream.close()
    }
  },
)

describe('the command line:', () => {
  test('--version prints the version of the package', async () => {
    const { code, output } = await runProgram({}, { args: ['--version'], cwd: dataDir })
    expect([code, output]).toEqual([0, `${process.env['npm_package_version'] ?? '0.1.0'}\n`])
  })

  test('an unknown argument is refused with a hint at --help', async () => {
    const { code, lines } = await runProgram({}, { args: ['--prot', '4001'] })
    expect([code, lines]).toEqual([
      1,
      ['swapface-gateway cannot start: "--prot" is not an argument of this program. See --help.'],
    ])
  })
})
