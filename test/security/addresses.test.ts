/**
 * Image addresses that would lead the gateway or the embedded upstream into the operator's network: they are
 * refused before anything is recorded, and two local listeners get no connection.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findFreePorts, type Program, startProgram } from '../e2e/program.ts'
import { openScriptedHost } from '../support/scripted-host.ts'
import { postGraphql } from '../support/test-app.ts'

let program: Program
let dataDir = ''
const canaries: Server[] = []
let touched = 0
let port = 0

beforeAll(async () => {
  for (const host of ['127.0.0.1', '::1']) {
    const canary = createServer((socket) => {
      touched += 1
      socket.destroy()
    })
    await once(canary.listen(port, host), 'listening')
    port = (canary.address() as AddressInfo).port
    canaries.push(canary)
  }
  dataDir = await mkdtemp(join(tmpdir(), 'swapface-addresses-'))
  // A developer's setup, without keys and with the embedded upstream, is the most vulnerable one.
  program = await startProgram({ dataDir, ...(await findFreePorts()) })
}, 60_000)
afterAll(async () => {
  await program.stop()
  await Promise.all(canaries.map(async (canary) => once(canary.close(), 'close')))
  await rm(dataDir, { recursive: true, force: true })
})

const CREATE = `mutation ($target: URL!, $face: URL!) {
  createSwap(input: { targetImage: { url: $target }, swapImage: { url: $face } }) {
    __typename
    ... on SwapInvalidInputError { issues { path code } }
    ... on CreateSwapSuccess { job { id } }
  }
}`
const portrait = () => `${program.upstreamUrl}/portraits/ada.jpg`

/** `PORT` stands for the port of the canaries. */
const REFUSED = [
  'http://127.0.0.1:PORT/',
  'http://127.1:PORT/',
  'http://127.0.1:PORT/',
  'http://127.000.000.001:PORT/',
  'http://127.255.255.254:PORT/',
  'http://2130706433:PORT/',
  'http://0x7f000001:PORT/',
  'http://0x7f.0.0.1:PORT/',
  'http://0x7F.0x0.0x0.0x1:PORT/',
  'http://0177.0.0.1:PORT/',
  'http://017700000001:PORT/',
  'http://0177.0x0.1:PORT/',
  'http://127.0.0.1.:PORT/',
  'http://2130706433.:PORT/',
  'http://%31%32%37.0.0.1:PORT/',
  'http://127%2e0%2e0%2e1:PORT/',
  'http://１２７.０.０.１:PORT/',
  'http://127。0。0。1:PORT/',
  'http://①②⑦.0.0.1:PORT/',
  'http://user:secret@127.0.0.1:PORT/',
  'http://example.com@127.0.0.1:PORT/',
  'http://user:secret@example.com/a.jpg',
  'https://127.0.0.1:PORT/',
  'HTTP://127.0.0.1:PORT/',
  'http://localhost:PORT/',
  'http://LOCALHOST:PORT/',
  'http://localhost.:PORT/',
  'http://a.localhost:PORT/',
  'http://localhost.localdomain:PORT/',
  'http://[::1]:PORT/',
  'http://[0:0:0:0:0:0:0:1]:PORT/',
  'http://[0000::0001]:PORT/',
  'http://[::]:PORT/',
  'http://0:PORT/',
  'http://0.0.0.0:PORT/',
  'http://[::ffff:127.0.0.1]:PORT/',
  'http://[::ffff:7f00:1]:PORT/',
  'http://[::127.0.0.1]:PORT/',
  'http://[::ffff:0:127.0.0.1]:PORT/',
  'http://[64:ff9b::127.0.0.1]:PORT/',
  'http://[64:ff9b:1::10.0.0.1]:PORT/',
  'http://[2002:7f00:1::]:PORT/',
  'http://[2001:0:4136:e378:8000:63bf:80ff:fffe]:PORT/',
  'http://10.0.0.1/a.jpg',
  'http://012.0.0.1/a.jpg',
  'http://172.16.0.1/a.jpg',
  'http://172.31.255.255/a.jpg',
  'http://192.168.0.1/a.jpg',
  'http://0xc0a80001/a.jpg',
  'http://192.168.1/a.jpg',
  'http://100.64.0.1/a.jpg',
  'http://100.100.100.200/latest/meta-data/',
  'http://169.254.169.254/latest/meta-data/',
  'http://2852039166/latest/meta-data/',
  'http://0xa9fea9fe/latest/meta-data/',
  'http://[::ffff:169.254.169.254]/latest/meta-data/',
  'http://[fd00:ec2::254]/latest/meta-data/',
  'http://metadata.google.internal/computeMetadata/v1/',
  'http://168.63.129.16/machine',
  'http://192.0.0.192/opc/v2/',
  'http://[fe80::1]/a.jpg',
  'http://[fc00::1]/a.jpg',
  'http://[ff02::1]/a.jpg',
  'http://224.0.0.1/a.jpg',
  'http://240.0.0.1/a.jpg',
  'http://255.255.255.255/a.jpg',
  'http://192.0.2.1/a.jpg',
  'http://198.18.0.1/a.jpg',
  'http://203.0.113.9/a.jpg',
  'http://[2001:db8::1]/a.jpg',
  'http://redis:6379/',
  'http://printer.local/a.jpg',
  'http://intranet/a.jpg',
  'http://example.com:22/',
  'http://example.com:25/',
  'http://example.com:6667/',
]

/** Texts that are not http(s) addresses. */
const NOT_HTTP = [
  'file:///etc/passwd',
  'ftp://example.com/a.jpg',
  'gopher://127.0.0.1:6379/_FLUSHALL',
  'data:image/png;base64,AA==',
  'javascript:0',
  'unix:/run/docker.sock',
  '//127.0.0.1/a.jpg',
  'http:127.0.0.1',
  'http:\\\\127.0.0.1\\',
  'http://127.0.0.1\r\nHost: evil/',
  'http://[127.0.0.1]/',
  'http://[fe80::1%25eth0]/',
  'http://256.1.1.1/',
  '/etc/passwd',
  '',
]

async function ask(target: string, face: string) {
  const { data } = await postGraphql(program.url, CREATE, { target, face })
  return data.createSwap as { __typename: string; issues?: { path: string[]; code: string }[]; job?: { id: string } }
}

const codeOf = (spelling: string): string => {
  if (spelling.includes('@')) return 'ADDRESS_HAS_CREDENTIALS'
  return spelling.startsWith('http://example.com:') ? 'PORT_NOT_ALLOWED' : 'ADDRESS_NOT_ALLOWED'
}

test.each(REFUSED)('%s is refused as either image', async (spelling) => {
  const address = spelling.replace('PORT', String(port))
  for (const [target, face, name] of [
    [address, portrait(), 'targetImage'],
    [portrait(), address, 'swapImage'],
  ] as const) {
    expect(await ask(target, face)).toEqual({
      __typename: 'SwapInvalidInputError',
      issues: [{ path: ['input', name, 'url'], code: codeOf(spelling) }],
    })
  }
  expect(touched).toBe(0)
})

test.each(NOT_HTTP)('%j is refused as the address of an image', async (address) => {
  const answer = await ask(address, portrait())
  expect(answer.issues?.[0]?.code).toMatch(/^(?:NOT_HTTP_URL|SCHEME_|DATA_URL_|ADDRESS_|REQUIRED)/)
  expect(touched).toBe(0)
})

describe('an address that is allowed', () => {
  test('is not followed if it redirects to one that is not', async () => {
    const host = await openScriptedHost((_request, response) => {
      response.writeHead(302, { location: `http://127.0.0.1:${port}/` }).end()
    })
    const away = `${host.url}/away.jpg`
    const dir = await mkdtemp(join(tmpdir(), 'swapface-redirect-'))
    const allowing = await startProgram({
      dataDir: dir,
      ...(await findFreePorts()),
      env: { ALLOWED_PRIVATE_HOSTS: host.host },
    })
    try {
      const made = await postGraphql(allowing.url, CREATE, {
        target: away,
        face: `${allowing.upstreamUrl}/portraits/ada.jpg`,
      })
      const { id } = made.data.createSwap.job as { id: string }
      const { data } = await postGraphql(
        allowing.url,
        'query ($id: ID!) { swapJob(id: $id, waitMs: 10000) { status failure { code } } }',
        { id },
      )
      expect(data.swapJob).toEqual({ status: 'FAILED', failure: { code: 'IMAGE_ADDRESS_NOT_ALLOWED' } })
      expect(host.requests.length).toBeGreaterThan(0)
      expect(touched).toBe(0)
    } finally {
      await allowing.stop()
      await host.close()
      await rm(dir, { recursive: true, force: true })
    }
  })
})
