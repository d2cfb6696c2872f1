import { type IncomingMessage, request as httpRequest } from 'node:http'
import { json } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { localViewer } from '../../../src/auth/authenticate.ts'
import type { Viewer } from '../../../src/auth/viewer.ts'
import { connectWire, openLiveStage } from '../../support/live-stage.ts'
import { until } from '../../support/until.ts'

const WATCH = 'subscription { watched { version } }'

describe('the gateway closes a socket whose client', () => {
  test.each<[string, readonly object[], number]>([
    ['subscribes before it was acknowledged', [{ type: 'subscribe', id: '1', payload: { query: WATCH } }], 4401],
    ['sends connection_init twice', [{ type: 'connection_init' }, { type: 'connection_init' }], 4429],
    [
      'uses one id twice at one time',
      [
        { type: 'connection_init' },
        { type: 'subscribe', id: '1', payload: { query: WATCH } },
        { type: 'subscribe', id: '1', payload: { query: WATCH } },
      ],
      4409,
    ],
    ['sends an unknown message', [{ type: 'connection_init' }, { type: 'greet' }], 4400],
    ['sends a server message', [{ type: 'connection_init' }, { type: 'connection_ack' }], 4400],
    ['subscribes without a query', [{ type: 'connection_init' }, { type: 'subscribe', id: '1', payload: {} }], 4400],
  ])('%s', async (_what, messages, code) => {
    const { url, listeners } = await openLiveStage()
    const { opened, send, closed, acknowledged } = connectWire(url)
    await opened
    for (const message of messages) {
      send(message)
      if (isInit(message)) await Promise.race([acknowledged, closed])
    }
    expect((await closed).code).toBe(code)
    await until(() => listeners() === 0)
  })

  test('floods it with messages of any type', async () => {
    const { url } = await openLiveStage({ limits: { maxOperations: 2, messagesPerOperation: 5 } })
    const pinging = connectWire(url)
    await pinging.init()
    for (let n = 0; n < 30; n += 1) pinging.send({ type: 'ping', payload: { n } })
    // Clients reconnect after this code.
    expect(await pinging.closed).toEqual({ code: 1013, reason: 'Too many messages' })
    expect(pinging.messages.every(({ payload }) => payload === undefined)).toBe(true)
    const frames = connectWire(url)
    await frames.init()
    for (let n = 0; n < 30; n += 1) frames.socket.ping('x'.repeat(100))
    expect((await frames.closed).code).toBe(1013)
  })

  test('requests more than it reads', async () => {
    const { url, unsentBytes } = await openLiveStage({ limits: { maxUnsentBytes: 100_000 } })
    const { init, subscribe, socket, messages, closed } = connectWire(url)
    await init()
    socket.pause()
    for (let n = 0; n < 60; n += 1) subscribe(String(n), '{ big(size: 1000000) }')
    await until(() => unsentBytes() > 100_000)
    socket.resume()
    expect(await closed).toEqual({ code: 1013, reason: 'Too much is waiting to be read' })
    expect(messages.filter(({ type }) => type === 'next').length).toBeLessThan(20)
  })

  test('presented a credential that has expired', async () => {
    let now = 0
    const { url } = await openLiveStage({ viewer: { ...localViewer, expiresAt: 100 }, now: () => now })
    const { init, subscribe, messages, closed } = connectWire(url)
    await init()
    subscribe('1', WATCH)
    await until(() => messages.some(({ type }) => type === 'next'))
    now = 100
    expect(await closed).toEqual({ code: 4403, reason: 'Forbidden' })
  })

  test('exceeds the sockets of its tenant, and accepts another after one has closed', async () => {
    const { url } = await openLiveStage({ limits: { maxSocketsPerTenant: 1 } })
    const first = connectWire(url)
    await first.init()
    const second = connectWire(url)
    await second.opened
    second.send({ type: 'connection_init' })
    expect((await second.closed).code).toBe(1013)
    first.socket.close()
    await first.closed
    const next = connectWire(url)
    await next.init()
    next.subscribe('1', WATCH)
    await until(() => next.messages.some(({ type }) => type === 'next'))
  })
})

describe('the handshake', () => {
  const shake = async (url: string, protocols: string | null): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const request = httpRequest(`${url}/graphql`, {
        headers: {
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-version': '13',
          'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
          ...(protocols !== null && { 'sec-websocket-protocol': protocols }),
        },
      })
      request.on('response', resolve).on('error', reject)
      request.on('upgrade', (response, socket) => {
        socket.destroy()
        resolve(response)
      })
      request.end()
    })

  test.each([
    [
      'offers only graphql-ws',
      'graphql-ws',
      /graphql-ws of subscriptions-transport-ws is not supported.*graphql-transport-ws/,
    ],
    ['offers another subprotocol', 'mqtt', /Offer the WebSocket subprotocol graphql-transport-ws/],
    ['offers no subprotocol', null, /Offer the WebSocket subprotocol graphql-transport-ws/],
  ])('of a client that %s is refused with 400 and a reason', async (_what, protocols, reason) => {
    const { url } = await openLiveStage()
    const response = await shake(url, protocols)
    expect([response.statusCode, response.headers['content-type']]).toEqual([400, 'application/json; charset=utf-8'])
    const { errors } = (await json(response)) as { errors: readonly { message: string; extensions: object }[] }
    expect(errors[0]?.message).toMatch(reason)
    expect(errors[0]?.extensions).toEqual({ code: 'SUBPROTOCOL_NOT_SUPPORTED' })
  })

  test.each(['graphql-transport-ws', 'graphql-ws, graphql-transport-ws', 'graphql-transport-ws,graphql-ws'])(
    'of a client that offers %s chooses graphql-transport-ws',
    async (protocols) => {
      const { url } = await openLiveStage()
      const { statusCode, headers } = await shake(url, protocols)
      expect([statusCode, headers['sec-websocket-protocol']]).toEqual([101, 'graphql-transport-ws'])
    },
  )
})

test('a malformed subscribe closes the socket with a reason that names the member', async () => {
  const { url } = await openLiveStage()
  const { init, send, closed } = connectWire(url)
  await init()
  send({ type: 'subscribe', id: '1', payload: { query: WATCH, operationName: 'A'.repeat(129) } })
  expect(await closed).toEqual({ code: 4400, reason: '`operationName` has at most 128 characters.' })
})

test('an operation beyond the limit of a socket gets an error, and the other operations continue', async () => {
  const { url, watched } = await openLiveStage({ limits: { maxOperations: 2 } })
  const { init, subscribe, messages, send } = connectWire(url)
  await init()
  for (const id of ['1', '2', '3']) subscribe(id, WATCH)
  const refusal = await until(() => messages.find(({ type }) => type === 'error'))
  expect(refusal).toMatchObject({ id: '3', payload: [{ extensions: { code: 'TOO_MANY_OPERATIONS' } }] })
  send({ type: 'complete', id: '1' })
  subscribe('4', WATCH)
  await until(() => messages.some(({ type, id }) => type === 'next' && id === '4'))
  watched.set({ text: 'last', version: 2, last: true })
  await until(() => messages.filter(({ type }) => type === 'complete').length === 2)
})

test.each<[string, Partial<Viewer>, number]>([
  ['a caller without a credential', {}, 50],
  ['a watch token', { isAnonymous: false, jobIds: new Set(['job_1']) }, 50],
  ['an API key or a JWT', { isAnonymous: false }, 300],
])(
  'one socket of %s runs as many operations as its limit, and returns an error for the next one',
  async (_who, over, most) => {
    const { url } = await openLiveStage({ limits: { maxOperations: 300 }, viewer: { ...localViewer, ...over } })
    const { init, subscribe, messages, socket } = connectWire(url)
    await init()
    const ids = Array.from({ length: most + 1 }, (_u, n) => String(n))
    for (const id of ids) subscribe(id, WATCH)
    await until(() => messages.filter(({ type }) => type === 'next').length === most)
    const refusals = messages.filter(({ type }) => type === 'error')
    expect(refusals).toMatchObject([{ id: String(most), payload: [{ extensions: { code: 'TOO_MANY_OPERATIONS' } }] }])
    expect(socket.readyState).toBe(socket.OPEN)
    socket.terminate()
  },
)

test('a socket that was closed for too many messages processes no later message', async () => {
  const stage = await openLiveStage({ limits: { maxOperations: 2, messagesPerOperation: 5 } })
  const { init, subscribe, send, closed } = connectWire(stage.url)
  await init()
  for (let n = 0; n < 30; n += 1) send({ type: 'ping' })
  for (let n = 0; n < 5; n += 1) subscribe(String(n), WATCH)
  expect((await closed).code).toBe(1013)
  expect(stage.watched.executed).toBe(0)
})

test('an operation id may be reused after either side has completed it', async () => {
  const { url, listeners } = await openLiveStage()
  const { init, subscribe, messages, send } = connectWire(url)
  await init()
  for (let n = 0; n < 5; n += 1) {
    subscribe('same', WATCH)
    send({ type: 'complete', id: 'same' })
  }
  subscribe('same', WATCH)
  await until(() => messages.some(({ type }) => type === 'next'))
  await until(() => listeners() === 1)
  subscribe('query', '{ now }')
  await until(() => messages.some(({ type, id }) => type === 'complete' && id === 'query'))
  subscribe('query', '{ now }')
  await until(() => messages.filter(({ type, id }) => type === 'complete' && id === 'query').length === 2)
  expect(messages.filter(({ type }) => type === 'error')).toEqual([])
})

test('an operation id with any characters is returned unchanged', async () => {
  const { url } = await openLiveStage()
  const { init, subscribe, messages } = connectWire(url)
  await init()
  const ids = ['"quoted"', 'ünïcödé 🙂', 'line\nbreak', '\\']
  for (const id of ids) subscribe(id, WATCH)
  await until(() => messages.filter(({ type }) => type === 'next').length === ids.length)
  expect(messages.flatMap(({ type, id }) => (type === 'next' ? [id] : []))).toEqual(ids)
})

function isInit(message: object): boolean {
  return 'type' in message && message.type === 'connection_init'
}
