/** Raw request forms that proxies, load balancers and other clients send (RFC 9110, 9112). */
import { connect } from 'node:net'
import { beforeAll, describe, expect, test } from 'vitest'
import { sendRaw } from '../security/stage.ts'
import { closeAfterGroup, closeAfterTest } from '../support/close-after-test.ts'
import { openTestApp, type TestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'

/** These requests change nothing: one gateway serves all tests. */
let gateway: TestApp
beforeAll(async () =>
  closeAfterGroup(async () => {
    gateway = await openTestApp({ settings: { REST_API: 'on' } })
  }),
)

const QUERY = '{"query":"{ __typename }"}'
const GET = `/graphql?query=${encodeURIComponent('{ __typename }')}`

/** Sends a request head with these lines, and a body. */
const send = async ({ app }: TestApp, line: string, headers: readonly string[] = ['Host: localhost'], body = '') =>
  sendRaw(
    Number(new URL(app.url).port),
    `${[`${line} HTTP/1.1`, ...headers, 'Connection: close'].join('\r\n')}\r\n\r\n${body}`,
  )

const statusOf = (answer: string) => Number(answer.slice(9, 12))
const headerOf = (answer: string, name: string) => new RegExp(`^${name}: (.*)\r$`, 'im').exec(answer)?.[1] ?? null
const bodyOf = (answer: string) => answer.slice(answer.indexOf('\r\n\r\n') + 4)

describe('a HEAD request', () => {
  test('of any resource gets the response of GET without a body', async () => {
    for (const [path, accept] of [
      ['/', 'text/html'],
      ['/healthz', '*/*'],
      ['/readyz', '*/*'],
      [GET, 'application/json'],
    ] as const) {
      const headers = ['Host: localhost', `Accept: ${accept}`]
      const get = await send(gateway, `GET ${path}`, headers)
      const head = await send(gateway, `HEAD ${path}`, headers)
      expect([statusOf(get), statusOf(head)], path).toEqual([200, 200])
      // HEAD executes no operation, so the type of its response is unknown.
      if (path !== GET) expect(headerOf(head, 'content-type'), path).toBe(headerOf(get, 'content-type'))
      expect(bodyOf(head), path).toBe('')
    }
  })

  test.each(['text/event-stream', '*/*', 'multipart/mixed, text/event-stream', 'application/json'])(
    'of a subscription ends at once with Accept: %s',
    async (accept) => {
      const path = `/graphql?query=${encodeURIComponent('subscription { swapJobsUpdated { kind } }')}`
      const answer = await send(gateway, `HEAD ${path}`, ['Host: localhost', `Accept: ${accept}`])
      expect([statusOf(answer), bodyOf(answer)]).toEqual([200, ''])
    },
  )

  test('of the GraphiQL page gets the response of GET without a body', async () => {
    const { app } = await openTestApp({ settings: { GRAPHIQL: 'on' } })
    const head = await fetch(`${app.url}/graphql`, { method: 'HEAD', headers: { accept: 'text/html' } })
    expect([head.status, head.headers.get('content-type'), await head.text()]).toEqual([200, 'text/html', ''])
  })

  test('of a GraphQL request that lacks a query gets the refusal of GET without a body', async () => {
    expect(statusOf(await send(gateway, 'HEAD /graphql'))).toBe(400)
  })
})

describe('an OPTIONS request that is not a preflight', () => {
  test.each([
    ['/graphql', 'GET, HEAD, POST, OPTIONS'],
    ['/healthz', 'GET, HEAD, OPTIONS'],
    ['/images/img_00000000000000000000000000.jpg', 'GET, HEAD, OPTIONS'],
    ['/uploads/img_00000000000000000000000000', 'PUT, OPTIONS'],
    ['/insightFace/v1/fetch', 'GET, HEAD, POST, OPTIONS'],
    ['*', 'GET, HEAD, POST, PUT, OPTIONS'],
  ])('of %s names the methods', async (path, allow) => {
    const answer = await send(gateway, `OPTIONS ${path}`)
    expect([statusOf(answer), headerOf(answer, 'allow'), bodyOf(answer)]).toEqual([204, allow, ''])
  })

  test('of an unknown path gets 404', async () => {
    expect(statusOf(await send(gateway, 'OPTIONS /nothing'))).toBe(404)
  })
})

test.each([
  ['DELETE /graphql', 'GET, HEAD, POST'],
  ['POST /', 'GET, HEAD'],
  ['POST /healthz', 'GET, HEAD'],
  ['DELETE /images/img_00000000000000000000000000.jpg', 'GET, HEAD'],
  ['GET /uploads/img_00000000000000000000000000', 'PUT'],
  ['GET /hooks/swapface/x', 'POST'],
  ['GET /insightFace/v1/swap', 'POST'],
])('%s gets 405 with the Allow header %s', async (line, allow) => {
  const answer = await send(gateway, line)
  expect([statusOf(answer), headerOf(answer, 'allow')]).toEqual([405, allow])
})

describe('a request target in absolute form', () => {
  test('is served like its path, and its authority replaces the Host header', async () => {
    expect(bodyOf(await send(gateway, `GET http://localhost${GET}`))).toContain('"Query"')
    expect(statusOf(await send(gateway, 'GET HTTP://LOCALHOST:80'))).toBe(200)
    expect(statusOf(await send(gateway, 'GET http://localhost?a=b'))).toBe(200)
    expect(statusOf(await send(gateway, 'GET http://localhost/healthz', ['Host: evil.example']))).toBe(200)
    expect(statusOf(await send(gateway, 'GET http://evil.example/healthz', ['Host: localhost']))).toBe(421)
  })

  test('opens a WebSocket', async () => {
    const answer = await sendRaw(
      Number(new URL(gateway.app.url).port),
      'GET http://localhost/graphql HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n',
    )
    expect(answer).toMatch(/^HTTP\/1\.1 101/)
  })
})

describe('the Host header', () => {
  test.each([
    ['localhost', 200],
    ['LOCALHOST:80', 200],
    ['localhost.', 200],
    ['localhost.:4000', 200],
    ['app.localhost:4000', 200],
    ['[::1]:4000', 200],
    ['127.0.0.2', 200],
    ['Gateway.Example:443', 200],
    ['gateway.example.', 200],
    ['host.docker.internal:4000', 421],
    ['localhost.evil.example', 421],
    ['[::2]', 421],
  ])('%s gets %i if no credentials are required', async (host, status) => {
    const proxied = await openTestApp({ settings: { PUBLIC_URL: 'https://gateway.example' } })
    expect(statusOf(await send(proxied, 'GET /healthz', [`Host: ${host}`]))).toBe(status)
  })

  test.each([
    ['twice', ['Host: localhost', 'Host: evil.example']],
    ['twice in other cases', ['host: localhost', 'HOST: localhost']],
    ['with a path', ['Host: localhost/a']],
    ['with a blank', ['Host: localhost a']],
    ['with a user', ['Host: a@localhost']],
    ['with a list', ['Host: localhost, evil.example']],
    ['never', []],
  ])('gets 400 if it is sent %s', async (_what, headers) => {
    expect(statusOf(await send(gateway, 'GET /healthz', headers))).toBe(400)
  })
})

describe('an offer to upgrade to another protocol than WebSocket', () => {
  const H2C = ['Host: localhost', 'Upgrade: h2c', 'HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA']

  test('is ignored, and the request is served with its body', async () => {
    const { app } = gateway
    const head = [
      'POST /graphql HTTP/1.1',
      ...H2C,
      'Connection: Upgrade, HTTP2-Settings',
      'Content-Type: application/json',
    ]
    const request = `${[...head, `Content-Length: ${QUERY.length}`].join('\r\n')}\r\n\r\n${QUERY}`
    const next = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
    const answer = await sendRaw(Number(new URL(app.url).port), request + request + next)
    expect(answer.match(/HTTP\/1\.1 200 OK\r\n/g)).toHaveLength(3)
    expect(answer.match(/"__typename":"Query"/g)).toHaveLength(2)
  })

  test('does not bypass the origin check', async () => {
    const { app } = gateway
    const head = [
      'GET /healthz HTTP/1.1',
      ...H2C,
      'Connection: Upgrade, HTTP2-Settings, close',
      'Origin: https://evil.example',
    ]
    expect(await sendRaw(Number(new URL(app.url).port), `${head.join('\r\n')}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 403/)
  })
})

describe('a body', () => {
  test('in chunks, without a Content-Length, is read', async () => {
    const chunks = `5\r\n${QUERY.slice(0, 5)}\r\n${(QUERY.length - 5).toString(16)}\r\n${QUERY.slice(5)}\r\n0\r\n\r\n`
    const headers = ['Host: localhost', 'Content-Type: application/json', 'Transfer-Encoding: chunked', 'TE: trailers']
    expect(bodyOf(await send(gateway, 'POST /graphql', headers, chunks))).toContain('"Query"')
  })

  test('that waits for 100 Continue is requested with it', async () => {
    const headers = [
      'Host: localhost',
      'Content-Type: application/json',
      `Content-Length: ${QUERY.length}`,
      'Expect: 100-continue',
    ]
    const answer = await send(gateway, 'POST /graphql', headers, QUERY)
    expect(answer).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200/)
  })

  test('with an unknown expectation is refused with 417', async () => {
    const headers = ['Host: localhost', 'Content-Length: 0', 'Expect: a-miracle']
    expect(statusOf(await send(gateway, 'POST /graphql', headers))).toBe(417)
  })
})

describe('a request that is refused before its body has arrived', () => {
  test.each([
    ['POST /graphql', 'application/json', 300_000, 413],
    ['POST /graphql', 'text/plain', 300_000, 415],
    ['POST /insightFace/v1/swap', 'application/json', 300_000, 413],
    ['PUT /uploads/img_00000000000000000000000000', 'image/png', 300_000, 404],
  ])('is drained for %s of type %s, and the connection serves the next request', async (line, type, length, status) => {
    const { app } = gateway
    const socket = connect(Number(new URL(app.url).port), '127.0.0.1')
    closeAfterTest(() => {
      socket.destroy()
    })
    let heard = ''
    socket.on('data', (data) => {
      heard += data.toString('latin1')
    })
    socket.write(`${line} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n`)
    // Long enough for the rows that expect 413.
    socket.write('x'.repeat(length - 1))
    await until(() => heard.startsWith(`HTTP/1.1 ${status}`))
    socket.write('xGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
    expect(await until(() => heard.endsWith('{"status":"alive"}\n'))).toBe(true)
  })

  test('is cut off after 32 MiB', async () => {
    const { app } = gateway
    const socket = connect(Number(new URL(app.url).port), '127.0.0.1')
    socket.on('error', () => null).resume()
    const closed = new Promise((resolve) => {
      socket.once('close', resolve)
    })
    const head = ['POST /graphql HTTP/1.1', 'Host: localhost', 'Content-Type: text/plain', 'Content-Length: 1000000000']
    socket.write(`${head.join('\r\n')}\r\n\r\n`)
    const block = Buffer.alloc(1024 * 1024)
    for (let sent = 0; sent < 200 && socket.writable; sent += 1) {
      if (socket.write(block)) continue
      const drained = new Promise((resolve) => {
        socket.once('drain', resolve)
      })
      await Promise.race([drained, closed])
    }
    await closed
    expect(socket.bytesWritten).toBeLessThan(100 * 1024 * 1024)
  })
})

test('an HTTP/1.0 client, such as some proxies, gets its response, and the connection is closed', async () => {
  const { app } = gateway
  const request = `POST /graphql HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${QUERY.length}\r\n\r\n${QUERY}`
  const answer = await sendRaw(Number(new URL(app.url).port), request)
  expect(bodyOf(answer)).toBe('{"data":{"__typename":"Query"}}')
  expect(headerOf(answer, 'connection')).toBe('close')
})

test('an event stream tells proxies not to transform, cache or buffer it', async () => {
  const { app } = gateway
  const stop = new AbortController()
  const { headers } = await fetch(`${app.url}/graphql`, {
    method: 'POST',
    signal: stop.signal,
    headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify({ query: 'subscription { swapJobsUpdated { kind } }' }),
  })
  expect(headers.get('content-type')).toMatch(/^text\/event-stream/)
  expect(headers.get('cache-control')).toBe('no-cache, no-transform')
  expect(headers.get('x-accel-buffering')).toBe('no')
  stop.abort()
})

test('a path that differs from the GraphQL path in slashes or case gets a 404 that names the GraphQL path', async () => {
  for (const path of ['//graphql', '/graphql/', '/GraphQL']) {
    const answer = await send(gateway, `POST ${path}`, ['Host: localhost', 'Content-Length: 0'])
    expect([statusOf(answer), bodyOf(answer).includes('/graphql')], path).toEqual([404, true])
  }
})
