/** A newcomer's first minute with the built program, using only its printed output. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findFreePorts, killLeftPrograms, type Program, startProgram } from './program.ts'

const run = promisify(execFile)
const shell = async (line: string) => (await run('sh', ['-c', line])).stdout

let program: Program
let dataDir = ''
let ports = { port: 0, upstreamPort: 0 }

const portrait = (name: string) => `${program.upstreamUrl}/portraits/${name}.jpg`

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'swapface-e2e-'))
  ports = await findFreePorts()
  program = await startProgram({ dataDir, ...ports })
}, 60_000)

afterAll(async () => {
  await program.stop()
  killLeftPrograms()
  await rm(dataDir, { recursive: true, force: true })
})

async function graphql(query: string, variables: object = {}) {
  const response = await fetch(`${program.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  })
  return (await response.json()) as { data: any } // oxlint-disable-line typescript/no-explicit-any
}

const CREATE =
  'mutation ($i: CreateSwapInput!) { createSwap(input: $i) { ... on CreateSwapSuccess { job { id status } } } }'
const images = () => ({ targetImage: { url: portrait('ada') }, swapImage: { url: portrait('kofi') } })

test('the program is ready within 15 s, and prints its address and a first request', () => {
  expect(program.readyAfterMs).toBeLessThan(15_000)
  expect(program.output()).toContain(`${program.url}/graphql`)
})

test('the printed curl lines start a swap and watch it to SUCCESS, and its result is a JPEG', async () => {
  const { start, watch } = program.readyLine().example
  const created = JSON.parse(await shell(start)) as { data: { createSwap: { job: { id: string } } } }
  const { id } = created.data.createSwap.job
  const events = (await shell(watch.replace('JOB_ID', id)))
    .split('\n')
    .filter((line) => line.startsWith('data: {'))
    .map((line) => (JSON.parse(line.slice('data: '.length)) as { data: { swapJobUpdated: any } }).data.swapJobUpdated) // oxlint-disable-line typescript/no-explicit-any
  expect(events.at(-1)).toMatchObject({ status: 'SUCCESS', done: true, failure: null })
  const result = await fetch(events.at(-1).result.url)
  expect([result.status, result.headers.get('content-type')]).toEqual([200, 'image/jpeg'])
  await expectOnlyTheFaceToDiffer(Buffer.from(await result.arrayBuffer()))
})

/** A portrait is 640 × 800; its face is an upright oval around (320, 390), without hair and neck. */
const inOval = (x: number, y: number, radiusX: number, radiusY: number) =>
  Math.hypot((x - 320) / radiusX, (y - 390) / radiusY) < 1

async function expectOnlyTheFaceToDiffer(result: Buffer): Promise<void> {
  const template = Buffer.from(await (await fetch(portrait('ada'))).arrayBuffer())
  const [before, after] = await Promise.all(
    [template, result].map((jpeg) => sharp(jpeg).raw().toBuffer({ resolveWithObject: true })),
  )
  if (!before || !after) throw new Error('no pictures')
  expect([after.info.width, after.info.height]).toEqual([640, 800])
  const differences: Record<'face' | 'rest', [sum: number, count: number]> = { face: [0, 0], rest: [0, 0] }
  for (let y = 0; y < 800; y += 1) {
    for (let x = 0; x < 640; x += 1) {
      const region = inOval(x, y, 90, 130) ? 'face' : inOval(x, y, 150, 210) ? null : 'rest'
      if (!region) continue
      const at = (y * 640 + x) * before.info.channels
      differences[region][0] += Math.abs((before.data[at] ?? 0) - (after.data[at] ?? 0))
      differences[region][1] += 1
    }
  }
  const mean = ([sum, count]: [number, number]) => sum / count
  // Of 255: the face changes, and the surroundings differ only by one more JPEG encoding.
  expect(mean(differences.face)).toBeGreaterThan(12)
  expect(mean(differences.rest)).toBeLessThan(1)
}

test('a swap survives kill -9 between its creation and its result', async () => {
  const { data } = await graphql(CREATE, { i: images() })
  const { id } = data.createSwap.job
  await program.kill()
  program = await startProgram({ dataDir, ...ports })
  const answer = await graphql(
    'query ($id: ID!) { swapJob(id: $id, waitMs: 25000) { status result { url } timeline { status } } }',
    { id },
  )
  expect(answer.data.swapJob).toMatchObject({ status: 'SUCCESS' })
  expect((await fetch(answer.data.swapJob.result.url)).status).toBe(200)
})

test('the samples of the upstream’s reference run with only host and key changed', async () => {
  const response = await fetch(`${program.upstreamUrl}/insightFace/v1/swap`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'TT-API-KEY': 'local-dev-key' },
    body: JSON.stringify({ targetImage: portrait('ada'), swapImage: portrait('kofi') }),
  })
  expect(await response.json()).toMatchObject({
    status: 'SUCCESS',
    data: { jobId: expect.stringMatching(/^SWAP-FACE-\d{18}$/) },
  })
})

test('--help prints every setting', async () => {
  const { stdout } = await run(process.execPath, ['dist/main.js', '--help'])
  for (const name of ['PORT', 'TTAPI_KEY', 'DATABASE_URL', 'GATEWAY_SECRET', 'LOG_LEVEL'])
    expect(stdout).toContain(`  ${name} `)
})

test.each([
  [{ PORT: 'abc' }, 'PORT must be a port number'],
  [{ LOG_LEVEL: 'loud' }, 'LOG_LEVEL must be one of'],
  [{ HOST: '0.0.0.0' }, 'API_KEYS must be set'],
  [{ GATEWAY_SECRET: 'short' }, 'GATEWAY_SECRET must have at least 16 characters'],
])('a bad setting stops the start with one line that names it: %j', async (env, line) => {
  const failed = await run(process.execPath, ['dist/main.js'], { env: { PATH: process.env['PATH'], ...env } }).catch(
    (error: unknown) => error,
  )
  const { code, stderr } = failed as { code: number; stderr: string }
  expect(code).toBe(1)
  expect(stderr.trim().split('\n')).toHaveLength(1)
  expect(stderr).toContain(line)
  expect(stderr).not.toContain('short')
})

test('a port in use stops the start with a line that says so', async () => {
  const failed = await run(process.execPath, ['dist/main.js'], {
    env: {
      PATH: process.env['PATH'],
      PORT: String(ports.port),
      LOCAL_UPSTREAM_PORT: '0',
      ADMIN_PORT: '0',
      DATA_DIR: join(dataDir, 'other'),
    },
  }).catch((error: unknown) => error)
  expect((failed as { stderr: string }).stderr).toContain(`${ports.port}`)
})

test('SIGTERM ends the program cleanly', async () => {
  expect(await program.stop()).toBe(0)
  program = await startProgram({ dataDir, ...ports })
})
