/** Runs the commands of README.md and docs/GUIDE.md against the built program, and compares the responses printed there. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { atGateway } from '../support/client-recipes.ts'
import { until } from '../support/until.ts'
import { findFreePorts, type Program, startProgram } from './program.ts'

const run = promisify(execFile)
const README = 'README.md'
const GUIDE = 'docs/GUIDE.md'

let program: Program
let dataDir = ''
/** The job of the first command, after its test has run. */
let jobId: Promise<string>

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'swapface-readme-'))
  program = await startProgram({ dataDir, ...(await findFreePorts()), env: { REST_API: 'on' } })
  jobId = createSwap().then((answer) => (JSON.parse(answer) as Created).data.createSwap.job.id)
}, 60_000)
afterAll(async () => {
  await program.stop()
  await rm(dataDir, { recursive: true, force: true })
})

interface Created {
  readonly data: { readonly createSwap: { readonly job: { readonly id: string } } }
}

/** Returns the first fenced block of each language after `words` in a document. */
async function blocksAfter(document: string, words: string, ...languages: readonly string[]): Promise<string[]> {
  const [, after] = (await readFile(document, 'utf8')).split(words)
  if (after === undefined) throw new Error(`${document} does not contain "${words}"`)
  return languages.map((language) => {
    const [, text] = new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(after) ?? []
    if (text === undefined) throw new Error(`${document} has no ${language} after "${words}"`)
    return text.trim()
  })
}

/** Replaces ports and job id by those of this test. */
const here = (text: string, id = 'none') => atGateway(program, text).replaceAll(/job_\w{26}/g, id)

const shell = async (command: string) => (await run('sh', ['-c', command])).stdout.trim()

/** Removes values that differ between runs: ids, and the addresses and expiry of results, copied or not. */
const stable = (answer: string) =>
  answer
    .replaceAll(/job_\w{26}/g, 'JOB')
    .replaceAll(/"http:\/\/127\.0\.0\.1:\d+\/(?:images|cdn)\/[^"]+\.jpg[^"]*"/g, 'RESULT')
    .replaceAll(/"expiresAt":(?:null|"[^"]+")/g, '"expiresAt":WHEN')

async function createSwap(): Promise<string> {
  const [command = ''] = await blocksAfter(README, 'send the first mutation', 'sh')
  return shell(here(command))
}

async function postGraphql(query: string, variables: object = {}): Promise<string> {
  const response = await fetch(`${program.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  })
  return response.text()
}

test('the first mutation of the README returns the printed response', async () => {
  const [printed = ''] = await blocksAfter(README, 'send the first mutation', 'json')
  expect(stable(await createSwap())).toBe(stable(printed))
})

test('the subscription of the README over SSE sends the printed events, from the current state of the job', async () => {
  const [command = '', printed = ''] = await blocksAfter(
    README,
    'Over SSE, with the id that you received',
    'sh',
    'text',
  )
  const answer = stable(await shell(here(command, await jobId)))
  const events = (text: string) =>
    text
      .split('\n\n')
      .map((event) => event.trim())
      .filter((event) => event !== '' && !event.startsWith(':'))
  const seen = events(answer)
  expect(seen.length).toBeGreaterThanOrEqual(2)
  expect(seen).toEqual(events(stable(printed)).slice(-seen.length))
})

test('the query of the guide with waitMs returns the printed response', async () => {
  const [query = '', printed = ''] = await blocksAfter(GUIDE, '## Wait for a job', 'graphql', 'json')
  expect(stable(await postGraphql(query, { id: await jobId }))).toBe(stable(printed))
})

test('the invalid input of the guide returns the printed response', async () => {
  const [mutation = '', printed = ''] = await blocksAfter(GUIDE, '## Handle errors', 'graphql', 'json')
  expect(await postGraphql(mutation)).toBe(printed)
})

test('the REST API of the guide returns the printed response', async () => {
  const [commands = '', printed = ''] = await blocksAfter(GUIDE, '## Keep clients of the REST API', 'sh', 'json')
  const command = commands.split('\n').find((line) => line.startsWith('curl')) ?? ''
  expect(stable(await shell(here(command)))).toBe(stable(printed))
})

test('the curl commands of docs/CLIENTS.md start a swap and wait for its end', async () => {
  const [, section = ''] = (await readFile('docs/CLIENTS.md', 'utf8')).split('\n## curl\n')
  const [start = '', wait = ''] = [...section.matchAll(/^```sh\n(curl .*)\n```$/gm)].map(([, command = '']) => command)
  const { data } = JSON.parse(await shell(here(start))) as Created
  const waited = JSON.parse(await shell(here(wait, data.createSwap.job.id))) as unknown
  expect(waited).toMatchObject({ data: { swapJob: { status: 'SUCCESS', failure: null } } })
})

test('the command for a reachable gateway starts one that requires the generated key', async () => {
  const [command = ''] = await blocksAfter(README, '## Accept remote callers', 'sh')
  const { port, upstreamPort } = await findFreePorts()
  const script = command.replace('npm start', 'exec node dist/main.js')
  const env = {
    ...process.env,
    PORT: String(port),
    ADMIN_PORT: '0',
    LOCAL_UPSTREAM_PORT: String(upstreamPort),
    DATA_DIR: join(dataDir, '2'),
  }
  const child = spawn('sh', ['-c', script], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  try {
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    await until(() => output.includes('is ready'))
    const ask = async (headers: Record<string, string>) =>
      (await fetch(`http://127.0.0.1:${port}/graphql?query={__typename}`, { headers })).status
    const key = /^key: (.+)$/m.exec(output)?.[1] ?? ''
    expect([await ask({}), await ask({ 'x-api-key': key })]).toEqual([401, 200])
  } finally {
    child.kill('SIGTERM')
    await exited
  }
})
