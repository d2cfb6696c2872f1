/**
 * The program as an attacker meets it: keys, an identity provider, one allowed origin, and everything that is off
 * by default off. Each test file opens one.
 */
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, SignJWT, type JWTPayload } from 'jose'
import { WebSocket } from 'ws'
import { findFreePorts, type Program, startProgram } from '../e2e/program.ts'
import { sha256 } from '../../src/lib/crypto/sha256.ts'
import { type FakeUpstream, openFakeUpstream } from '../support/fake-upstream.ts'

export const KEYS = {
  acme: 'key-of-acme-0123456789',
  other: 'key-of-other-0123456789',
  reader: 'key-of-reader-0123456789',
} as const
export const UPSTREAM_KEY = 'canary-upstream-key-7b1f'
export const SECRET = 'canary-gateway-secret-93ce'
export const ALLOWED_ORIGIN = 'https://app.example.com'
export const ISSUER = 'https://id.example.com'

export const INPUT = {
  targetImage: { url: 'https://example.com/t.jpg' },
  swapImage: { url: 'https://example.com/f.jpg' },
}
export const CREATE = `mutation ($input: CreateSwapInput!) { createSwap(input: $input) {
  __typename
  ... on CreateSwapSuccess { job { id } watchToken { token } }
  ... on SwapError { code message }
} }`

export interface Stage {
  readonly program: Program
  readonly url: string
  readonly port: number
  readonly upstream: FakeUpstream
  readonly keysFile: string
  /** Creates a token of the identity provider: valid except for what `over` and `sign` change. */
  token(over?: JWTPayload, sign?: Sign): Promise<string>
  /** The public key of the identity provider, which anyone can download. */
  readonly publicKey: string
  close(): Promise<void>
}

export const KEY_LINES = [
  `acme:${sha256(KEYS.acme)}`,
  `other:${sha256(KEYS.other)}`,
  `acme:${sha256(KEYS.reader)}:read`,
] as const

export async function openStage(env: Record<string, string> = {}): Promise<Stage> {
  const dataDir = await mkdtemp(join(tmpdir(), 'swapface-security-'))
  const keysFile = join(dataDir, 'keys')
  await writeFile(keysFile, `# keys of the tests\n${KEY_LINES.join('\n')}\n`)
  const upstream = await openFakeUpstream(UPSTREAM_KEY)
  const identity = await openIdentityProvider()
  const ports = await findFreePorts()
  const program = await startProgram({
    dataDir,
    ...ports,
    env: {
      TTAPI_KEY: UPSTREAM_KEY,
      TTAPI_URL: upstream.url,
      GATEWAY_SECRET: SECRET,
      API_KEYS: `file:${keysFile}`,
      JWKS_URL: identity.url,
      JWT_ISSUER: ISSUER,
      JWT_AUDIENCE: 'swapface',
      ALLOWED_ORIGINS: ALLOWED_ORIGIN,
      GRAPHIQL: 'off',
      INTROSPECTION: 'off',
      TENANT_REQUESTS_PER_MINUTE: '100000',
      LOG_LEVEL: 'trace',
      ...env,
    },
  })
  return {
    program,
    url: program.url,
    port: ports.port,
    upstream,
    keysFile,
    token: identity.token,
    publicKey: identity.publicKey,
    close: async () => {
      await program.stop()
      await Promise.all([upstream.close(), identity.close()])
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

type Sign = (jwt: SignJWT) => Promise<string>
const HEADER = { alg: 'RS256', kid: 'one' }

async function openIdentityProvider() {
  const { privateKey, publicKey } = await generateKeyPair('RS256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256', use: 'sig' }
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [jwk] }))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`,
    publicKey: JSON.stringify(jwk),
    token: async (
      over: JWTPayload = {},
      sign: Sign = async (jwt) => jwt.setProtectedHeader(HEADER).sign(privateKey),
    ) => {
      const now = Math.floor(Date.now() / 1_000)
      const claims = { iss: ISSUER, aud: 'swapface', sub: 'jwt-tenant', scope: 'swap:read swap:write', exp: now + 600 }
      return sign(new SignJWT({ ...claims, ...over }))
    },
    close: async () => {
      server.closeAllConnections()
      await once(server.close(), 'close')
    },
  }
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // Untyped: each test knows the shape of its response.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly json: any
}

/** Posts a document as the tenant `acme`, unless `init` says otherwise. */
export async function post(url: string, body: unknown, init: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': KEYS.acme, ...init },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return read(response)
}

export async function read(response: Response): Promise<Answer> {
  const text = await response.text()
  const { status, headers } = response
  return { status, headers, text, json: text.startsWith('{') ? (JSON.parse(text) as unknown) : null }
}

/** Sends bytes on a raw connection; returns everything received until the peer is silent or has closed. */
export async function sendRaw(port: number, bytes: string | Buffer): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.on('data', (data) => {
    text += data.toString('latin1')
  })
  socket.on('error', () => null)
  socket.setTimeout(1_500, () => socket.destroy())
  socket.write(bytes)
  // A reset counts as a response.
  await new Promise((resolve) => {
    socket.once('close', resolve)
  })
  return text
}

export interface Wire {
  readonly socket: WebSocket
  readonly messages: { readonly type: string; readonly id?: string; readonly payload?: unknown }[]
  readonly closed: Promise<number>
  send(message: object): void
}

/** Opens a WebSocket without sending anything; `closed` resolves to 0 if it could not be opened. */
export function openWire(url: string, headers: Record<string, string> = {}, protocol = 'graphql-transport-ws'): Wire {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, protocol, { headers })
  const messages: Wire['messages'] = []
  socket.on('message', (data: Buffer) => messages.push(JSON.parse(data.toString()) as Wire['messages'][number]))
  const closed = new Promise<number>((resolve) => {
    socket.on('close', resolve)
    socket.on('unexpected-response', () => resolve(0))
  })
  socket.on('error', () => null)
  return { socket, messages, closed, send: (message) => socket.send(JSON.stringify(message)) }
}
