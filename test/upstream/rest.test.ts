import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { openRestUpstream } from '../../src/upstream/rest.ts'
import { closeAfterTest } from '../support/close-after-test.ts'

const REQUEST = { targetImage: 'https://t/1', swapImage: 'https://s/1', hookUrl: 'https://gateway/hooks/1' }

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  closeAfterTest(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => {
      server.close(resolve)
    })
  })
  return (server.address() as AddressInfo).port
}

async function openAgainst(answer: RequestListener) {
  const server = createServer(answer)
  const port = await listen(server)
  return openUpstream(`http://127.0.0.1:${port}`)
}

function openUpstream(url: string) {
  const upstream = openRestUpstream({ url, key: 'the-key', submitTimeoutMs: 300, fetchTimeoutMs: 300 })
  closeAfterTest(() => upstream.close())
  return upstream
}

test('the upstream client sends requests as the reference defines them, with the key in its header', async () => {
  const seen: unknown[] = []
  const upstream = await openAgainst((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString()
    })
    request.on('end', () => seen.push([request.method, request.url, request.headers, body]))
    response.end('{"status":"SUCCESS","message":"","data":{"jobId":"U1"}}')
  })
  expect(await upstream.submit(REQUEST)).toEqual({ kind: 'accepted', upstreamId: 'U1' })
  expect(await upstream.fetch('U 1&x')).toMatchObject({ kind: 'nothing' })
  expect(seen).toEqual([
    [
      'POST',
      '/insightFace/v1/swap',
      expect.objectContaining({
        'content-type': 'application/json',
        'tt-api-key': 'the-key',
        'accept-encoding': 'identity',
        'user-agent': 'swapface-gateway',
        // A submit never reuses a connection: if a stale one closed, the outcome would be ambiguous.
        connection: 'close',
      }),
      JSON.stringify(REQUEST),
    ],
    ['GET', '/insightFace/v1/fetch?jobId=U%201%26x', expect.objectContaining({ 'tt-api-key': 'the-key' }), ''],
  ])
})

const ACCEPTED = '{"status":"SUCCESS","message":"","data":{"jobId":"U1"}}'

test.each<[string, string | null, Buffer]>([
  ['begins with a byte order mark', null, Buffer.from(`\uFEFF${ACCEPTED}`)],
  ['is compressed with gzip although that was not requested', 'gzip', gzipSync(ACCEPTED)],
  ['is compressed with deflate', 'deflate', deflateSync(ACCEPTED)],
  ['is compressed with Brotli', 'BR', brotliCompressSync(`\uFEFF${ACCEPTED}`)],
  ['declares that it is not encoded', 'identity', Buffer.from(ACCEPTED)],
])('the upstream client reads a response that %s', async (_how, encoding, body) => {
  const upstream = await openAgainst((_request, response) => {
    response.writeHead(200, encoding === null ? {} : { 'content-encoding': encoding }).end(body)
  })
  expect(await upstream.submit(REQUEST)).toEqual({ kind: 'accepted', upstreamId: 'U1' })
})

test('the upstream client keeps the path of its base address', async () => {
  const paths: unknown[] = []
  const server = createServer((request, response) => {
    paths.push(request.url)
    response.end()
  })
  const port = await listen(server)
  await openUpstream(`http://127.0.0.1:${port}/proxy/`).submit(REQUEST)
  expect(paths).toEqual(['/proxy/insightFace/v1/swap'])
})

test('a submit is definitely not sent if the connection is refused', async () => {
  const server = createTcpServer()
  const port = await listen(server)
  await new Promise((resolve) => {
    server.close(resolve)
  })
  const upstream = openUpstream(`http://127.0.0.1:${port}`)
  expect(await upstream.submit(REQUEST)).toEqual({ kind: 'notSent', reason: 'ECONNREFUSED' })
  expect(await upstream.fetch('U1')).toEqual({
    kind: 'nothing',
    httpStatus: null,
    reason: 'ECONNREFUSED',
    upstreamMessage: null,
    isDown: true,
  })
})

test('a submit is definitely not sent if the host name does not resolve', async () => {
  expect(await openUpstream('http://upstream.invalid').submit(REQUEST)).toMatchObject({ kind: 'notSent' })
})

test('a submit is definitely not sent if the TLS handshake exceeds the timeout', async () => {
  const port = await listen(createTcpServer(() => {}))
  expect(await openUpstream(`https://127.0.0.1:${port}`).submit(REQUEST)).toEqual({
    kind: 'notSent',
    reason: 'TimeoutError',
  })
})

test('a submit is definitely not sent if it cannot be written, or the client is closed', async () => {
  let requests = 0
  const port = await listen(createServer(() => (requests += 1)))
  const options = { url: `http://127.0.0.1:${port}`, submitTimeoutMs: 300, fetchTimeoutMs: 300 }
  const odd = openRestUpstream({ ...options, key: 'a key\nof two lines' })
  closeAfterTest(() => odd.close())
  expect(await odd.submit(REQUEST)).toMatchObject({ kind: 'notSent' })
  const closed = openRestUpstream({ ...options, key: 'the-key' })
  await closed.close()
  expect(await closed.submit(REQUEST)).toMatchObject({ kind: 'notSent' })
  expect(requests).toBe(0)
})

test('a submit is definitely not sent if the TLS handshake fails', async () => {
  const port = await listen(createTcpServer((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n')))
  expect(await openUpstream(`https://127.0.0.1:${port}`).submit(REQUEST)).toMatchObject({ kind: 'notSent' })
})

const LOST_ANSWERS: Record<string, RequestListener> = {
  'a reset after the request was read': (request) => {
    request.resume().on('end', () => request.socket.resetAndDestroy())
  },
  'a connection that ends without a response': (request) => {
    request.resume().on('end', () => request.socket.end())
  },
  'a response that never comes': (request) => {
    request.resume()
  },
  'a response that never ends': (_request, response) => {
    response.write('{"status":')
  },
  'a response that arrives in single bytes': (_request, response) => {
    const drip = setInterval(() => response.write(' '), 50)
    response.on('close', () => clearInterval(drip))
  },
  'a response cut off before its end': (_request, response) => {
    response.writeHead(200, { 'content-length': 100 })
    response.write('{"status":"SUCCESS","data":{"jobId":"U1"}}')
    setImmediate(() => response.destroy())
  },
  'an endless response': (_request, response) => {
    const chunk = Buffer.alloc(64 * 1024, 0x20)
    const pump = () => {
      while (!response.destroyed && response.write(chunk));
      if (!response.destroyed) response.once('drain', pump)
    }
    pump()
  },
  'a damaged compressed response': (_request, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' })
    response.end(gzipSync('{"status":"SUCCESS","data":{"jobId":"U1"}}').subarray(0, 20))
  },
  'a compressed response that is too long after decompression': (_request, response) => {
    response.writeHead(200, { 'content-encoding': 'br' })
    response.end(brotliCompressSync(`{"status":"SUCCESS","data":{"jobId":"U1"}${' '.repeat(1_000_000)}}`))
  },
  'a response in an unknown encoding': (_request, response) => {
    response.writeHead(200, { 'content-encoding': 'rot13' })
    response.end('{"status":"SUCCESS","data":{"jobId":"U1"}}')
  },
  'a redirect': (_request, response) => {
    response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end()
  },
}

test.each(Object.entries(LOST_ANSWERS))(
  '%s makes the outcome of a submit `unknown` and that of a fetch `nothing`',
  async (_name, answer) => {
    const upstream = await openAgainst(answer)
    expect((await upstream.submit(REQUEST)).kind).toBe('unknown')
    expect((await upstream.fetch('U1')).kind).toBe('nothing')
  },
)

test('the upstream client reads Retry-After in seconds, and caps it at an hour', async () => {
  const answers = ['7', '999999', 'Wed, 21 Oct 2026 07:28:00 GMT']
  const upstream = await openAgainst((_request, response) => {
    response.writeHead(429, { 'retry-after': answers.shift() ?? '' }).end('{"status":"FAILED"}')
  })
  const waits = [await upstream.submit(REQUEST), await upstream.submit(REQUEST), await upstream.submit(REQUEST)]
  expect(waits.map((outcome) => outcome.kind === 'refused' && outcome.retryAfterMs)).toEqual([7_000, 3_600_000, null])
})

test('the reason of an outcome never contains an address or the key', async () => {
  const upstream = openUpstream('http://secret-host.invalid')
  expect(JSON.stringify([await upstream.submit(REQUEST), await upstream.fetch('U1')])).not.toMatch(
    /secret-host|the-key/,
  )
})
