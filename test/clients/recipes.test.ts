/** The programs of docs/CLIENTS.md, run as they stand there; only the address of the gateway is another one. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { toWebhookSecrets } from '../../src/webhooks/secrets.ts'
import { findFreePort } from '../faults/gateway-process.ts'
import { hasPython, NOT_RUN } from '../support/python.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { openTestApp, type TestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const SECRET = 'a secret of the gateway'
const page = readFileSync('docs/CLIENTS.md', 'utf8')

/** The program in `language` below a heading. */
function recipe(heading: string, language: 'js' | 'python'): string {
  const [, below = ''] = page.split(`\n## ${heading}\n`)
  const [, text] = new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(below.split('\n## ')[0] ?? '') ?? []
  if (text === undefined) throw new Error(`docs/CLIENTS.md has no ${language} below "${heading}"`)
  return text
}

/** A gateway whose swaps are done in no time. */
async function openGateway(receiver = ''): Promise<TestApp> {
  const gateway = await openTestApp({
    settings: { ALLOWED_PRIVATE_HOSTS: `127.0.0.1:4010,${receiver}`, GATEWAY_SECRET: SECRET },
  })
  gateway.upstream.scriptJobs(() => ({
    states: [{ afterMs: 50, state: { status: 'SUCCESS' } }],
    hooks: { copies: 1, untilDelivered: true },
  }))
  return gateway
}

/** Node before 22 has it behind a flag. */
const NODE_ARGS = typeof WebSocket === 'undefined' ? ['--experimental-websocket', '--no-warnings'] : []

/** Runs a program; `output` is all that it has written so far. */
function run(language: 'js' | 'python', text: string, env: Record<string, string> = {}) {
  const child =
    language === 'js'
      ? spawn(process.execPath, [...NODE_ARGS, '--input-type=module', '-e', text], { env: { ...process.env, ...env } })
      : spawn('python3', ['-c', text], { env: { ...process.env, ...env } })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk
    })
  }
  const ended = once(child, 'exit')
  closeAfterTest(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return { output: () => output, ended }
}

const at = (gateway: TestApp, text: string) => text.replaceAll('127.0.0.1:4000', new URL(gateway.app.url).host)

/** Posts a signed event in two pieces, cut inside the emoji; the status of the answer. */
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

test.each(['Plain `fetch`', 'urql', 'Apollo Client'])('%s: starts a swap and sees its end', async (heading) => {
  const gateway = await openGateway()
  gateway.upstream.scriptJobs(() => ({}))
  const { output, ended } = run('js', at(gateway, recipe(heading, 'js')))
  await until(() => output().startsWith('ON_QUEUE'))
  const [job] = gateway.upstream.accepted
  if (!job) throw new Error('the upstream took no job')
  job.state = { status: 'SUCCESS' }
  await gateway.upstream.sendHook(job)
  await ended
  expect(output()).toMatch(/^ON_QUEUE.*\nSUCCESS https:\S+\n$/)
})

test('Relay: the network layer asks and watches', async () => {
  const gateway = await openGateway()
  const use = `
    const ask = (text) => network.execute({ text, name: null, operationKind: 'query', metadata: {} }, {}, {})
    const watch = (text) => network.execute({ text, name: null, operationKind: 'subscription', metadata: {} }, {}, {})
    ask('{ swapService { accepting } }').subscribe({ next: ({ data }) => {
      console.log(JSON.stringify(data))
      const watching = watch('subscription { swapJobsUpdated { kind } }').subscribe({ next: ({ data: event }) => {
        console.log(JSON.stringify(event))
        watching.unsubscribe()
        void socket.dispose()
      } })
    } })`
  const { output, ended } = run('js', at(gateway, recipe('Relay', 'js')) + use)
  await ended
  expect(output()).toBe('{"swapService":{"accepting":true}}\n{"swapJobsUpdated":{"kind":"CAUGHT_UP"}}\n')
})

test.skipIf(!hasPython)(`Python: starts a swap and waits for its end${hasPython ? '' : NOT_RUN}`, async () => {
  const gateway = await openGateway()
  const { output, ended } = run('python', at(gateway, recipe('Python', 'python')))
  await ended
  expect(output()).toMatch(/^SUCCESS \{'url': 'https:/)
})

test.each(hasPython ? (['js', 'python'] as const) : (['js'] as const))(
  `a receiver in %s takes what is signed, and nothing else${hasPython ? '' : ` (python)${NOT_RUN}`}`,
  async (language) => {
    const port = await findFreePort()
    const gateway = await openGateway(`127.0.0.1:${port}`)
    const [secret = ''] = toWebhookSecrets([SECRET], 'local')
    const text = recipe('Being told: a receiver', language).replace('8080', String(port))
    const { output } = run(language, text, { WEBHOOK_SECRET: secret })
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

    const input = { targetImage: { url: 'https://example.com/t.jpg' }, swapImage: { url: 'https://example.com/f.jpg' } }
    const { data } = await gateway.graphql(
      'mutation ($input: CreateSwapInput!) { createSwap(input: $input) { ... on CreateSwapSuccess { job { id } } } }',
      { input: { ...input, hookUrl: url } },
    )
    await until(() => output().includes(`${data.createSwap.job.id} SUCCESS\n`))
  },
)
