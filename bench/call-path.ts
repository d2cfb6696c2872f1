/**
 * Prints the files of `src/` that run between the arrival of a `createSwap` and the submit that it causes.
 *
 *     npx tsx bench/call-path.ts
 *
 * The gateway runs in a separate process, under the inspector. The upstream is a server in this script, which reads the
 * list of executed files when the submit arrives. The engine handles the first request with a document, and the fast
 * path handles later ones.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'
import { z } from 'zod'

const messageSchema = z.object({ id: z.number().optional(), result: z.unknown() })
const coverageSchema = z.object({
  result: z.array(
    z.object({
      url: z.string(),
      functions: z.array(z.object({ ranges: z.array(z.object({ count: z.number() })) })),
    }),
  ),
})

const MUTATION =
  'mutation ($input: CreateSwapInput!) { createSwap(input: $input) { ... on CreateSwapSuccess { job { id } } } }'
const variables = {
  input: { targetImage: { url: 'https://example.com/a.jpg' }, swapImage: { url: 'https://example.com/b.jpg' } },
}
/** Requests of each kind. */
const REQUESTS = 4
const SOURCES = resolve('src')
const dataDir = mkdtempSync(join(tmpdir(), 'call-path-'))

let onSubmit: () => Promise<void> = async () => {}
let submits = 0
const upstream = createServer((request, response) => {
  const answer = async () => {
    request.resume()
    await once(request, 'end')
    if (request.url === '/insightFace/v1/swap') {
      submits += 1
      await onSubmit()
    }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ status: 'SUCCESS', message: 'success', data: { jobId: `upstream-${submits}` } }))
  }
  answer().catch((error: unknown) => console.error(error))
}).listen(0, '127.0.0.1')
await once(upstream, 'listening')
const address = upstream.address()
if (address === null || typeof address === 'string') throw new Error('the upstream has no port')

const gateway = spawn(process.execPath, ['--inspect=127.0.0.1:0', '--import', 'tsx', 'src/main.ts'], {
  env: {
    ...process.env,
    PORT: '0',
    ADMIN_PORT: '0',
    DATA_DIR: dataDir,
    TTAPI_KEY: 'not-a-key',
    TTAPI_URL: `http://127.0.0.1:${address.port}`,
  },
  stdio: ['ignore', 'pipe', 'pipe'],
})
const outputs = [createInterface(gateway.stdout), createInterface(gateway.stderr)]

async function findInOutput(pattern: RegExp): Promise<string> {
  return new Promise((found, fail) => {
    for (const output of outputs) {
      output.on('line', (line) => {
        const [, match] = pattern.exec(line) ?? []
        if (match) found(match)
      })
    }
    gateway.once('exit', () => fail(new Error('the gateway ended')))
  })
}

/** Keeps files that run for every request: they run because of the request, not because of a timer. */
function print(answeredBy: string, [files = [], ...others]: readonly string[][]): void {
  const always = files.filter((file) => others.every((other) => other.includes(file)))
  console.log(`\n${always.length} files run for a createSwap that ${answeredBy} handles:\n${always.join('\n')}`)
}

async function openInspector(url: string) {
  const socket = new WebSocket(url)
  await once(socket, 'open')
  const waiting = new Map<number, (result: unknown) => void>()
  socket.on('message', (data: Buffer) => {
    const { id: answered = 0, result } = messageSchema.parse(JSON.parse(data.toString()))
    waiting.get(answered)?.(result)
    waiting.delete(answered)
  })
  let id = 0
  return {
    call: async (method: string, params: object = {}): Promise<unknown> => {
      const own = (id += 1)
      socket.send(JSON.stringify({ id: own, method, params }))
      return new Promise((done) => waiting.set(own, done))
    },
    close: () => socket.terminate(),
  }
}

try {
  const [inspectorUrl, url] = await Promise.all([
    findInOutput(/listening on (ws:\S+)/),
    findInOutput(/(http:\/\/127\.0\.0\.1:\d+\/graphql) /),
  ])
  const inspector = await openInspector(inspectorUrl)
  const takeFiles = async (): Promise<string[]> => {
    const { result } = coverageSchema.parse(await inspector.call('Profiler.takePreciseCoverage'))
    return result
      .filter(({ functions }) => functions.some(({ ranges }) => (ranges[0]?.count ?? 0) > 0))
      .map((script) => (script.url.startsWith('file:') ? fileURLToPath(script.url) : ''))
      .filter((path) => path.startsWith(SOURCES))
      .map((path) => path.slice(SOURCES.length + 1))
      .toSorted()
  }
  await inspector.call('Profiler.enable')
  await inspector.call('Profiler.startPreciseCoverage', { callCount: true, detailed: false })

  const createSwap = async (query: string): Promise<string[]> => {
    const submitted = new Promise<string[]>((done) => {
      onSubmit = async () => done(await takeFiles())
    })
    // Wait until the work of the previous swap is done.
    await delay(500)
    await takeFiles()
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
    })
    const text = await response.text()
    if (!text.includes('job_')) throw new Error(text)
    return submitted
  }
  const byEngine: string[][] = []
  const byFastPath: string[][] = []
  for (let n = 0; n < REQUESTS; n += 1) byEngine.push(await createSwap(`${MUTATION}${' '.repeat(n)}`))
  await createSwap(MUTATION)
  for (let n = 0; n < REQUESTS; n += 1) byFastPath.push(await createSwap(MUTATION))
  print('the engine', byEngine)
  print('the fast path', byFastPath)
  inspector.close()
} finally {
  gateway.kill()
  upstream.close()
  rmSync(dataDir, { recursive: true, force: true })
}
