/**
 * Checks deployments with and without the embedded upstream: installs each in an empty folder, prints its size on disk,
 * fails above its limit, and starts it. Needs a built checkout.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

const INSTALLS = [
  {
    command: 'npm ci --omit=dev',
    folders: ['dist', 'schema', 'packages/swapface'],
    maxMb: 110,
    firstWords: 'swapface-gateway is ready.',
  },
  {
    command: 'npm ci --omit=dev --workspaces=false',
    folders: ['dist', 'schema'],
    maxMb: 75,
    firstWords: 'swapface-gateway cannot start: TTAPI_KEY is not set, and the embedded upstream is not installed',
  },
]
const MANIFESTS = ['package.json', 'package-lock.json']
/** Paths of a checkout that a deployment does not have. */
const LEFT_OUT = /node_modules|packages\/swapface\/(?:src|test|tools)/

/** @type {string[]} */
const problems = []
for (const { command, folders, maxMb, firstWords } of INSTALLS) {
  const folder = mkdtempSync(join(tmpdir(), 'swapface-install-'))
  try {
    for (const file of [...MANIFESTS, ...folders]) {
      cpSync(file, join(folder, file), { recursive: true, filter: (path) => !LEFT_OUT.test(path) })
    }
    const [program = '', ...words] = command.split(' ')
    await run(program, [...words, '--ignore-scripts', '--no-audit', '--no-fund'], folder)
    const mb = sizeOf(folder) / 1e6
    console.log(`${command}: ${mb.toFixed(1)} MB (at most ${maxMb})`)
    if (mb > maxMb) problems.push(`${command} takes ${mb.toFixed(1)} MB`)
    const said = await readStart(folder)
    if (!said.includes(firstWords)) problems.push(`${command}, then a start: ${said}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
for (const problem of problems) console.error(problem)
process.exit(problems.length === 0 ? 0 : 1)

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} cwd
 */
async function run(command, args, cwd) {
  const child = spawn(command, args, {
    cwd,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: exit code ${code}`)
}

/**
 * Returns the program's output until it is ready or exits.
 * @param {string} folder
 */
async function readStart(folder) {
  const child = spawn(process.execPath, ['dist/main.js'], {
    cwd: folder,
    env: { PATH: process.env['PATH'], PORT: '0', ADMIN_PORT: '0', LOCAL_UPSTREAM_PORT: '0', LOG_LEVEL: 'warn' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const errors = text(child.stderr)
  let output = ''
  for await (const chunk of child.stdout) {
    output += String(chunk)
    if (output.includes('is ready.')) break
  }
  if (child.exitCode === null) child.kill('SIGTERM')
  return output + (await errors)
}

/**
 * Returns the bytes of all files below a folder; links are not followed.
 * @param {string} path
 * @returns {number}
 */
function sizeOf(path) {
  const stat = lstatSync(path)
  if (!stat.isDirectory()) return stat.size
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0)
}
