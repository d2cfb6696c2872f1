/** Runs the programs of docs/CLIENTS.md unchanged, except for the address of the gateway. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { toWebhookSecrets } from '../../src/webhooks/secrets.ts'
import { findFreePort } from '../faults/gateway-process.ts'
import { openProject } from '../support/front-end-project.ts'
import { hasPython, NOT_RUN } from '../support/python.ts'
import { atGateway, readRecipe } from '../support/client-recipes.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { sha256 } from '../../src/lib/crypto/sha256.ts'
import { openTestApp, type TestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const CREATE =
  'mutation ($input: CreateSwapInput!) { createSwap(input: $input) { ... on CreateSwapSuccess { job { id } } } }'
const IMAGES = { targetImage: { url: 'https://example.com/t.jpg' }, swapImage: { url: 'https://example.com/f.jpg' } }
const SECRET = 'a secret of the gateway'
/** Opens a gateway whose swaps finish quickly. */
async function openGateway(settings: Record<string, string> = {}): Promise<TestApp> {
  const gateway = await openTestApp({
    settings: { ALLOWED_PRIVATE_HOSTS: '127.0.0.1:4010', GATEWAY_SECRET: SECRET, ...settings },
  })
  gateway.upstream.scriptJobs(() => ({
    states: [{ afterMs: 50, state: { status: 'SUCCESS' } }],
    hooks: { copies: 1, untilDelivered: true },
  }))
  return gateway
}

/** Node before 22 needs a flag for WebSocket. */
const NODE_ARGS = typeof WebSocket === 'undefined' ? ['--experimental-websocket', '--no-warnings'] : []

/** Runs a program; `output` returns everything that it has written. */
function run(
  language: 'js' | 'python',
  text: string,
  { env = {}, cwd }: { readonly env?: Record<string, string>; readonly cwd?: string } = {},
) {
  const options = { env: { ...process.env, ...env }, ...(cwd !== undefined && { cwd }) }
  const child =
    language === 'js'
      ? spawn(process.execPath, [...NODE_ARGS, '--input-type=module', '-e', text], options)
      : spawn('python3', ['-c', text], options)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk
    })
  }
  const ended = once(child, 'exit')
  const stop = async () => {
    child.kill('SIGKILL')
    await ended
  }
  closeAfterTest(stop)
  return { output: () => output, ended, stop }
}

const at = (gateway: TestApp, text: string) => atGateway(gateway.app, text)

/** Posts a signed event in two chunks, split inside the emoji; returns the status. */
async function postInTwo(url: string, secret: string, event: object): Promise<number | undefined> {
  const body = Buffer.from(JSON.stringify(event))
  const sentAt = new Date()
  const headers = {
    'content-length': body.byteLength,
    'webhook-id': 'evt_2',
    'webhook-timestamp': String(Math.floor(sentAt.getTime() / 1_000)),
    'webhook-signature': new Webhook(secret).sign('evt_2', sentAt, body.toString()),
  }
  const sent = request(url, { method: 'POST', headers })
  const cut = body.indexOf(Buffer.from('😀')) + 2
  await new Promise((resolve) => {
    sent.write(body.subarray(0, cut), resolve)
  })
  sent.end(body.subarray(cut))
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  response.resume()
  return response.statusCode
}

test('the recipe with plain `fetch` starts a swap and watches it to its end', async () => {
  const gateway = await openGateway()
  gateway.upstream.scriptJobs(() => ({}))
  const { output, ended } = run('js', at(gateway, readRecipe('Plain `fetch`', 'js')))
  await until(() => output().startsWith('ON_QUEUE'))
  const [job] = gateway.upstream.accepted
  if (!job) throw new Error('the upstream took no job')
  job.state = { status: 'SUCCESS' }
  await gateway.upstream.sendHook(job)
  await ended
  expect(output()).toMatch(/^ON_QUEUE.*\nSUCCESS https:\S+\n$/)
})

test('a watch token follows its job on a gateway that requires keys', async () => {
  const key = 'key-of-acme-0123456789'
  const gateway = await openGateway({ API_KEYS: `acme:${sha256(key)}` })
  const { output, ended } = run('js', at(gateway, readRecipe('Watch tokens', 'js')), { env: { API_KEY: key } })
  await ended
  expect(output()).toMatch(/^(ON_QUEUE\n)?SUCCESS\n$/)
})

test('the loop over all jobs continues after its last cursor when it is restarted', async () => {
  const gateway = await openGateway()
  const cwd = await openProject({})
  const program = at(gateway, readRecipe('All jobs, with a cursor', 'js'))
  const first = run('js', program, { cwd })
  await until(() => first.output() === 'CAUGHT_UP  \n')
  await until(async () => readFile(join(cwd, 'swap-cursor.txt'), 'utf8').catch(() => ''))
  await first.stop()
  const { data } = await gateway.graphql(CREATE, { input: { ...IMAGES, waitMs: 20_000 } })
  const second = run('js', program, { cwd })
  await until(() => second.output().includes('CAUGHT_UP'))
  expect(second.output()).toBe(`REPLAY ${data.createSwap.job.id} SUCCESS\nCAUGHT_UP  \n`)
})

test.skipIf(!hasPython)(`Python: starts a swap and waits for its end${hasPython ? '' : NOT_RUN}`, async () => {
  const gateway = await openGateway()
  const { output, ended } = run('python', at(gateway, readRecipe('Python', 'python')))
  await ended
  expect(output()).toMatch(/^SUCCESS \{'url': 'https:/)
})

test.each(hasPython ? (['js', 'python'] as const) : (['js'] as const))(
  `a receiver in %s takes what is signed, and nothing else${hasPython ? '' : ` (python)${NOT_RUN}`}`,
  async (language) => {
    const port = await findFreePort()
    const gateway = await openGateway({ ALLOWED_PRIVATE_HOSTS: `127.0.0.1:${port}` })
    const [secret = ''] = toWebhookSecrets([SECRET], 'local')
    const text = readRecipe('Receive a webhook', language).replace('8080', String(port))
    const { output } = run(language, text, { env: { WEBHOOK_SECRET: secret } })
    const url = `http://127.0.0.1:${port}/`
    const forge = async () => {
      const headers = {
        'webhook-id': 'evt_1',
        'webhook-timestamp': String(Math.floor(Date.now() / 1_000)),
        'webhook-signature': 'v1,Zm9yZ2Vk',
      }
      return fetch(url, { method: 'POST', headers, body: '{"data":{}}' })
    }
    const forged = await until(async () => forge().catch(() => null))
    expect(forged.status).toBe(401)
    expect(await postInTwo(url, secret, { data: { id: 'job_😀', status: 'SUCCESS' } })).toBe(204)

    const { data } = await gateway.graphql(CREATE, { input: { ...IMAGES, hookUrl: url } })
    await until(() => output().includes(`${data.createSwap.job.id} SUCCESS\n`))
  },
)
