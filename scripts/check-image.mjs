/**
 * Checks the Dockerfile without a container engine: runs its steps in order in empty folders, starts its command, and
 * waits until the program is ready.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const READY_WITHIN_MS = 60_000

const root = mkdtempSync(join(tmpdir(), 'swapface-image-'))
const context = process.cwd()
const rules = readFileSync('.dockerignore', 'utf8').split('\n').filter(Boolean)
/** Paths that .dockerignore includes in the build. */
const included = rules.flatMap((rule) => (rule.startsWith('!') ? [rule.slice(1)] : []))
/** Names of folders that it excludes at any depth. */
const excluded = new Set(rules.flatMap((rule) => (rule.startsWith('**/') ? [rule.slice('**/'.length)] : [])))
/** @type {Map<string, string>} */
const stages = new Map()
let stage = ''
let workdir = ''
/** @type {Record<string, string>} */
const settings = {}
/** @type {string[]} */
let command = []

/** @param {string} path of the image */
const inStage = (path) => join(stage, path.startsWith('/') ? path : join(workdir, path))

/** @param {string[]} words */
function copy(words) {
  const from = words[0]?.startsWith('--from=') ? (words.shift() ?? '').slice('--from='.length) : null
  const to = words.pop() ?? ''
  for (const word of words) {
    const isIncluded = included.some((path) => word === path || word.startsWith(`${path}/`))
    if (from === null && !isIncluded) throw new Error(`COPY ${word}: .dockerignore leaves it out`)
    const source = from === null ? join(context, word) : join(stages.get(from) ?? '', word)
    cpSync(source, to.endsWith('/') ? join(inStage(to), basename(word)) : inStage(to), {
      recursive: true,
      verbatimSymlinks: true,
      filter: (path) => from !== null || !excluded.has(basename(path)),
    })
  }
}

/** @param {string} text */
function run(text) {
  if (text.includes('/data')) return
  execFileSync('/bin/sh', ['-euc', text], { cwd: inStage(''), stdio: ['ignore', 'ignore', 'inherit'] })
}

async function start() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  server.close()
  const url = `http://127.0.0.1:${port}`
  const env = {
    PATH: process.env['PATH'],
    ...settings,
    DATA_DIR: join(root, 'data'),
    PORT: String(port),
    LOCAL_UPSTREAM_PORT: '0',
    API_KEYS: `check:${'0'.repeat(64)}`,
    GATEWAY_SECRET: 'the secret of this check',
  }
  const child = spawn(command[0] ?? '', command.slice(1), {
    cwd: inStage(''),
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const ended = once(child, 'exit')
  try {
    for (const until = Date.now() + READY_WITHIN_MS; Date.now() < until && child.exitCode === null; await delay(200)) {
      const answer = await fetch(`${url}/readyz`).catch(() => null)
      if (answer?.ok) return
    }
    throw new Error('the image does not get ready')
  } finally {
    child.kill('SIGTERM')
    await ended
  }
}

try {
  for (const line of readFileSync('Dockerfile', 'utf8').split('\n')) {
    const [word = '', ...rest] = line.split(' ')
    const text = rest.join(' ')
    if (word === 'FROM') {
      stage = mkdtempSync(join(root, 'stage-'))
      if (rest[1] === 'AS') stages.set(rest[2] ?? '', stage)
    } else if (word === 'WORKDIR') {
      workdir = text
      mkdirSync(inStage(''), { recursive: true })
    } else if (word === 'COPY') copy(rest)
    else if (word === 'RUN') run(text)
    else if (word === 'ENV') for (const pair of rest) settings[pair.split('=')[0] ?? ''] = pair.split('=')[1] ?? ''
    else if (word === 'CMD') command = JSON.parse(text)
    else if (!['', '#', 'USER', 'VOLUME', 'HEALTHCHECK', 'STOPSIGNAL'].includes(word))
      throw new Error(`Dockerfile: ${line}`)
  }
  await start()
  process.stdout.write('The image builds and gets ready.\n')
} finally {
  rmSync(root, { recursive: true, force: true })
}
