/** Images in the built program: the three commands of docs/GUIDE.md, and the state after a crash. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { postGraphql } from '../support/test-app.ts'
import { atGateway } from '../support/client-recipes.ts'
import { until } from '../support/until.ts'
import { findFreePorts, killLeftPrograms, type Program, startProgram } from './program.ts'

const run = promisify(execFile)
let dataDir = ''
let ports = { port: 0, upstreamPort: 0 }

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'swapface-images-'))
  ports = await findFreePorts()
})
afterEach(async () => {
  killLeftPrograms()
  await rm(dataDir, { recursive: true, force: true })
})

const start = async (env: Record<string, string> = {}) => startProgram({ dataDir, ...ports, env })

/** Resolves once the program has died at the armed fault point. */
const died = async (program: Program) => until(async () => !(await fetch(`${program.url}/healthz`).catch(() => null)))

/** Resolves when the job has a copy of its result; a slow copy appears after the end of the job. */
async function untilCopied({ url }: Program, id: string) {
  const query =
    'query ($id: ID!) { swapJob(id: $id, waitMs: 25000) { status result { url copy { byteLength width } } } }'
  return until(async () => {
    const { data } = await postGraphql(url, query, { id })
    expect(data.swapJob.status).toBe('SUCCESS')
    return data.swapJob.result.copy ? data.swapJob : null
  })
}

interface Created {
  readonly data: { readonly createSwap: { readonly job: { readonly id: string; readonly status: string } } }
}

test('the three commands of docs/GUIDE.md upload a file and return a result with a copy', async () => {
  const program = await start()
  const [, section = ''] = readFileSync('docs/GUIDE.md', 'utf8').split('## Upload a file')
  const [, commands = ''] = /```sh\n([\s\S]*?)```/.exec(section) ?? []
  const { stdout } = await run('sh', ['-euc', atGateway(program, commands)])
  const created = JSON.parse(stdout.slice(stdout.lastIndexOf('{"data"'))) as Created
  const { id, status } = created.data.createSwap.job
  expect(status).toBe('SUCCESS')
  const job = await untilCopied(program, id)
  const bytes = Buffer.from(await (await fetch(job.result.url)).arrayBuffer())
  expect((await sharp(bytes).metadata()).width).toBe(job.result.copy.width)
  await program.stop()
})

test('a crash between the bytes and their row leaves an open reservation, and no partial image', async () => {
  const first = await start({ FAULT_AT: 'image-put' })
  const bytes = readFileSync('packages/swapface/portraits/ada.jpg')
  const { data } = await postGraphql(
    first.url,
    `mutation { createSwapUpload(input: { contentType: IMAGE_JPEG, byteLength: ${bytes.byteLength} }) { ... on CreateSwapUploadSuccess { upload { id } put { url } } } }`,
  )
  const { upload, put } = data.createSwapUpload
  const send = async () =>
    fetch(put.url, { method: 'PUT', headers: { 'content-type': 'image/jpeg' }, body: new Uint8Array(bytes) })
  await send().catch(() => null)
  await died(first)
  const second = await start()
  expect((await fetch(`${second.url}/images/${upload.id}.jpg`)).status).toBe(404)
  const again = await send()
  expect(await again.json()).toMatchObject({ id: upload.id, status: 'READY' })
  const stored = Buffer.from(await (await fetch(`${second.url}/images/${upload.id}.jpg`)).arrayBuffer())
  expect((await sharp(stored).metadata()).format).toBe('jpeg')
  await second.stop()
})

test('a crash while a result is copied loses neither the result nor its copy', { timeout: 120_000 }, async () => {
  const first = await start({ FAULT_AT: 'image-put' })
  const image = (name: string) => ({ url: `${first.upstreamUrl}/portraits/${name}.jpg` })
  const { data } = await postGraphql(
    first.url,
    'mutation ($input: CreateSwapInput!) { createSwap(input: $input) { ... on CreateSwapSuccess { job { id } } } }',
    { input: { targetImage: image('ada'), swapImage: image('kofi') } },
  )
  const { id } = data.createSwap.job
  await died(first)
  const second = await start()
  const { result } = await untilCopied(second, id)
  const served = await fetch(result.url)
  expect((await served.arrayBuffer()).byteLength).toBe(result.copy.byteLength)
  await second.stop()
})
