import type { ServerResponse } from 'node:http'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'

import { Agent, buildConnector } from 'undici'
import { afterEach, expect, test } from 'vitest'

import { createAddressGuard, createGuardedConnector, type Resolve } from '../../../src/lib/net/address-guard.ts'
import { createClosers } from '../../../src/lib/async/closers.ts'
import type { SwapFailureCode } from '../../../src/domain/swap-job.ts'
import { createDownload } from '../src/download.ts'
import type { SwapFaceEvent } from '../src/log.ts'
import { readImageFailure } from '../../../src/upstream/image-failures.ts'
import { openRestUpstream } from '../../../src/upstream/rest.ts'
import { openScriptedHost, type SeenRequest } from '../../../test/support/scripted-host.ts'
import { API_KEY, JPEG_START, openStage } from './support/swapface-stage.ts'

const MAX_BYTES = 2_000_000
const BOMB = gzipSync(Buffer.concat([JPEG_START, Buffer.alloc(50_000_000)]))
const closers = createClosers()
afterEach(() => closers.closeAll())

/** Responses of the image host, by path. Other paths get none. */
const answers: Readonly<Record<string, (response: ServerResponse) => void>> = {
  '/good.jpg': (response) => response.end(JPEG_START),
  '/page.jpg': (response) => response.setHeader('content-type', 'image/jpeg').end('<html>not an image</html>'),
  '/empty.jpg': (response) => response.end(),
  '/heic.jpg': (response) => response.end(Buffer.from('\0\0\0\x18ftypheic\0\0\0\0heicmif1')),
  '/denied.jpg': (response) => response.writeHead(403).end('no'),
  '/busy.jpg': (response) => response.writeHead(429).end('no'),
  '/half.jpg': (response) => response.writeHead(206, { 'content-range': 'bytes 0-9/20' }).end(JPEG_START),
  '/bomb.jpg': (response) => response.setHeader('content-encoding', 'gzip').end(BOMB),
  '/bad-gzip.jpg': (response) => response.setHeader('content-encoding', 'gzip').end(JPEG_START),
  '/bad-brotli.jpg': (response) => response.setHeader('content-encoding', 'br').end(JPEG_START),
  '/odd-encoding.jpg': (response) => response.setHeader('content-encoding', 'rot13').end(JPEG_START),
  '/many-encodings.jpg': (response) => response.setHeader('content-encoding', 'gzip, gzip, gzip').end(JPEG_START),
  '/reset.jpg': (response) => response.socket?.resetAndDestroy(),
  '/no-http.jpg': (response) => response.socket?.end('SSH-2.0-OpenSSH_9.6\r\n'),
  '/missing.jpg': (response) => response.writeHead(404).end('no'),
  '/broken.jpg': (response) => response.writeHead(500).end('no'),
  '/no-content.jpg': (response) => response.writeHead(204).end(),
  '/says-large.jpg': (response) => response.writeHead(200, { 'content-length': MAX_BYTES + 1 }).write(JPEG_START),
  '/endless.jpg': (response) => pour(response),
  '/drip.jpg': (response) => drip(response),
  '/cut.jpg': (response) => {
    response.writeHead(200, { 'content-length': 1000 }).write(JPEG_START, () => response.destroy())
  },
  '/to-metadata.jpg': redirectTo('http://169.254.169.254/latest/meta-data/'),
  '/to-loopback.jpg': redirectTo('http://127.0.0.1:1/good.jpg'),
  '/to-file.jpg': redirectTo('file:///etc/passwd'),
  '/to-nowhere.jpg': redirectTo('http://['),
  '/loop.jpg': redirectTo('/loop.jpg'),
}

/** Responses of unusual hosts that browsers tolerate. */
const goodAnswers: Readonly<Record<string, (response: ServerResponse, request: SeenRequest) => void>> = {
  '/good.jpg': (response) => response.end(JPEG_START),
  '/3-redirects.jpg': redirectTo('/2-redirects.jpg'),
  '/2-redirects.jpg': redirectTo('1-redirect.jpg'),
  '/1-redirect.jpg': redirectTo('/good.jpg'),
  '/to-utf8.jpg': raw('HTTP/1.1 302 Found', ['Location: /人像/face.jpg', 'Content-Length: 0']),
  '/%E4%BA%BA%E5%83%8F/face.jpg': (response) => response.end(JPEG_START),
  '/to-latin1.jpg': raw('HTTP/1.1 302 Found', [Buffer.from('Location: /caf\xe9.jpg', 'latin1'), 'Content-Length: 0']),
  '/caf%C3%A9.jpg': (response) => response.end(JPEG_START),
  '/to-blank.jpg': redirectTo('/my photo.jpg#top'),
  '/my%20photo.jpg': (response) => response.end(JPEG_START),
  '/cookie.jpg': (response, { headers }) => {
    if (headers.cookie === 'seen=1; also=2') response.end(JPEG_START)
    else response.writeHead(302, { location: '/cookie.jpg', 'set-cookie': ['seen=1; Path=/', 'also=2'] }).end()
  },
  '/no-agent.jpg': (response, { headers }) => {
    if (headers['user-agent'] === undefined) response.writeHead(403).end()
    else response.end(JPEG_START)
  },
  '/html.jpg': (response) => response.setHeader('content-type', 'text/html; charset=utf-8').end(JPEG_START),
  '/chunked.jpg': (response) => response.write(JPEG_START.subarray(0, 4), () => response.end(JPEG_START.subarray(4))),
  '/until-end.jpg': raw('HTTP/1.1 200 OK', ['Connection: close'], JPEG_START),
  '/http10.jpg': raw('HTTP/1.0 200 OK', [], JPEG_START),
  '/utf8-header.jpg': raw('HTTP/1.1 200 OK', ['Content-Disposition: inline; filename="人像.jpg"'], JPEG_START),
  '/gzip.jpg': (response) => response.setHeader('content-encoding', 'GZIP').end(gzipSync(JPEG_START)),
  '/deflate.jpg': (response) => response.setHeader('content-encoding', 'deflate').end(deflateSync(JPEG_START)),
  '/brotli.jpg': (response) => response.setHeader('content-encoding', 'br').end(brotliCompressSync(JPEG_START)),
  '/twice.jpg': (response) =>
    response.setHeader('content-encoding', 'gzip, br').end(brotliCompressSync(gzipSync(JPEG_START))),
  '/whole-range.jpg': (response) =>
    response
      .writeHead(206, { 'content-range': `bytes 0-${JPEG_START.length - 1}/${JPEG_START.length}` })
      .end(JPEG_START),
  '/203.jpg': (response) => response.writeHead(203).end(JPEG_START),
}

test.each<[string, string, SwapFailureCode, boolean]>([
  ['/page.jpg', 'is a web page, not a JPEG, PNG or WebP image', 'IMAGE_TYPE_NOT_ALLOWED', false],
  ['/heic.jpg', 'is a HEIC image, not a JPEG, PNG or WebP image', 'IMAGE_TYPE_NOT_ALLOWED', false],
  ['/empty.jpg', 'is empty', 'IMAGE_TYPE_NOT_ALLOWED', false],
  ['/missing.jpg', 'could not be downloaded: its host answered with status 404', 'IMAGE_NOT_FOUND', false],
  ['/denied.jpg', 'could not be downloaded: its host answered with status 403', 'IMAGE_ACCESS_DENIED', false],
  ['/broken.jpg', 'could not be downloaded: its host answered with status 500', 'IMAGE_HOST_FAILED', true],
  ['/busy.jpg', 'could not be downloaded: its host answered with status 429', 'IMAGE_HOST_FAILED', true],
  ['/no-content.jpg', 'could not be downloaded: its host answered with status 204', 'IMAGE_HOST_FAILED', false],
  ['/half.jpg', 'could not be downloaded: its host answered with status 206', 'IMAGE_HOST_FAILED', false],
  ['/says-large.jpg', 'is too large: more than 2 MB', 'IMAGE_TOO_LARGE', false],
  ['/endless.jpg', 'is too large: more than 2 MB', 'IMAGE_TOO_LARGE', false],
  ['/bomb.jpg', 'is too large: more than 2 MB', 'IMAGE_TOO_LARGE', false],
  ['/bad-gzip.jpg', "could not be downloaded: its host's answer cannot be decompressed", 'IMAGE_HOST_FAILED', false],
  ['/bad-brotli.jpg', "could not be downloaded: its host's answer cannot be decompressed", 'IMAGE_HOST_FAILED', false],
  [
    '/odd-encoding.jpg',
    'could not be downloaded: its host uses a content encoding that is not supported',
    'IMAGE_HOST_FAILED',
    false,
  ],
  [
    '/many-encodings.jpg',
    'could not be downloaded: its host uses too many content encodings',
    'IMAGE_HOST_FAILED',
    false,
  ],
  ['/drip.jpg', 'could not be downloaded: no complete answer within 1.5 s', 'IMAGE_TIMED_OUT', true],
  ['/hang.jpg', 'could not be downloaded: no complete answer within 1.5 s', 'IMAGE_TIMED_OUT', true],
  ['/cut.jpg', 'could not be downloaded: the connection to its host broke off', 'IMAGE_CONNECTION_FAILED', true],
  ['/reset.jpg', 'could not be downloaded: the connection to its host broke off', 'IMAGE_CONNECTION_FAILED', true],
  ['/no-http.jpg', "could not be downloaded: its host's answer is not valid HTTP", 'IMAGE_HOST_FAILED', false],
  ['/to-metadata.jpg', 'could not be downloaded: its address is not allowed', 'IMAGE_ADDRESS_NOT_ALLOWED', false],
  ['/to-loopback.jpg', 'could not be downloaded: its address is not allowed', 'IMAGE_ADDRESS_NOT_ALLOWED', false],
  ['/to-file.jpg', 'could not be downloaded: its address is not allowed', 'IMAGE_ADDRESS_NOT_ALLOWED', false],
  ['/to-nowhere.jpg', 'could not be downloaded: its host redirects to no valid address', 'IMAGE_HOST_FAILED', false],
  ['/loop.jpg', 'could not be downloaded: more than 10 redirects', 'IMAGE_TOO_MANY_REDIRECTS', false],
  [
    'http://127.0.0.1:1/a.jpg',
    'could not be downloaded: its address is not allowed',
    'IMAGE_ADDRESS_NOT_ALLOWED',
    false,
  ],
  [
    'http://2130706433/a.jpg',
    'could not be downloaded: its address is not allowed',
    'IMAGE_ADDRESS_NOT_ALLOWED',
    false,
  ],
  [
    'http://localhost:1/a.jpg',
    'could not be downloaded: its address is not allowed',
    'IMAGE_ADDRESS_NOT_ALLOWED',
    false,
  ],
  ['http://[::1]:1/a.jpg', 'could not be downloaded: its address is not allowed', 'IMAGE_ADDRESS_NOT_ALLOWED', false],
  [
    'http://127.0.0.1:2/a.jpg',
    'could not be downloaded: its host refused the connection',
    'IMAGE_CONNECTION_REFUSED',
    true,
  ],
  [
    'https://PLAIN/a.jpg',
    'could not be downloaded: no secure connection to its host: its certificate or TLS version is not valid',
    'IMAGE_TLS_FAILED',
    false,
  ],
])('a swap with %s fails: the image %s, and the gateway reports %s', async (path, problem, code, retryable) => {
  const host = await openScriptedHost((request, response) => answers[request.path]?.(response))
  closers.add(() => host.close())
  const events: SwapFaceEvent[] = []
  const stage = await openStage(closers, {
    allowedPrivateHosts: [host.host, '127.0.0.1:2'],
    downloadTimeoutMs: 1_500,
    maxImageBytes: MAX_BYTES,
    log: (event) => events.push(event),
  })
  const url = path.startsWith('/') ? host.url + path : path.replace('PLAIN', host.host)
  const upstream = openRestUpstream({
    url: stage.face.url,
    key: API_KEY,
    submitTimeoutMs: 5_000,
    fetchTimeoutMs: 5_000,
  })
  closers.add(() => upstream.close())

  const asTarget = await stage.submit({ targetImage: url })
  const asFace = await stage.submit({ swapImage: url })
  for (const [id, name, own] of [
    [asTarget, 'target', 'target'],
    [asFace, 'face', 'swap'],
  ] as const) {
    const document = await stage.fetchDone(id)
    expect(document).toMatchObject({ status: 'FAILED', message: `The ${name} image ${problem}.`, data: null })
    const failure = { code, message: `The ${own} image ${problem}.`, retryable }
    expect(await upstream.fetch(id)).toMatchObject({ kind: 'failed', failure })
    expect(events).toContainEqual(expect.objectContaining({ event: 'job-finished', jobId: id, failure: code }))
  }
  expect(stage.engine.targets).toHaveLength(0)
})

test.each([
  ['behind three redirects', '/3-redirects.jpg'],
  ['behind a Location in raw UTF-8', '/to-utf8.jpg'],
  ['behind a Location in raw Latin-1', '/to-latin1.jpg'],
  ['behind a Location with blanks and a fragment', '/to-blank.jpg'],
  ['of a host that redirects until its cookie comes back', '/cookie.jpg'],
  ['of a host that refuses requests without a User-Agent', '/no-agent.jpg'],
  ['that calls itself a page', '/html.jpg'],
  ['without a type, in chunks', '/chunked.jpg'],
  ['without a length, until the connection ends', '/until-end.jpg'],
  ['over HTTP/1.0', '/http10.jpg'],
  ['whose name in a header is raw UTF-8', '/utf8-header.jpg'],
  ['compressed with gzip', '/gzip.jpg'],
  ['compressed with deflate', '/deflate.jpg'],
  ['compressed with Brotli', '/brotli.jpg'],
  ['compressed twice', '/twice.jpg'],
  ['answered as the whole range', '/whole-range.jpg'],
  ['answered by a proxy that transformed it', '/203.jpg'],
])('an image %s is accepted', async (_how, path) => {
  const host = await openScriptedHost((request, response) => goodAnswers[request.path]?.(response, request))
  closers.add(() => host.close())
  const stage = await openStage(closers, { allowedPrivateHosts: [host.host] })
  const { status, message } = await stage.fetchDone(await stage.submit({ targetImage: host.url + path }))
  expect([status, message]).toEqual(['SUCCESS', null])
  expect(stage.engine.targets.map((target) => Buffer.from(target))).toEqual([JPEG_START])
})

test('a cookie is not sent to another host that a redirect leads to', async () => {
  const other = await openScriptedHost((_request, response) => response.end(JPEG_START))
  closers.add(() => other.close())
  const headers = { location: `${other.url}/good.jpg`, 'set-cookie': 'seen=1' }
  const host = await openScriptedHost((_request, response) => response.writeHead(302, headers).end())
  closers.add(() => host.close())
  const stage = await openStage(closers, { allowedPrivateHosts: [host.host, other.host] })
  await stage.fetchDone(await stage.submit({ targetImage: `${host.url}/a.jpg` }))
  expect(other.requests.map((request) => request.headers.cookie)).toEqual([undefined])
})

test('a download sends a user agent and accepted types, and requests no compression', async () => {
  const stage = await openStage(closers)
  await stage.fetchDone(await stage.submit())
  const [first] = stage.images.requests
  expect(first?.headers).toEqual({
    'user-agent': 'swapface-gateway (image download)',
    accept: 'image/jpeg, image/png, image/webp, image/*;q=0.5, */*;q=0.1',
    'accept-encoding': 'identity',
    connection: 'close',
    host: stage.images.host,
  })
})

test('a hanging download does not delay other jobs', async () => {
  const host = await openScriptedHost(() => undefined)
  closers.add(() => host.close())
  const stage = await openStage(closers, { allowedPrivateHosts: [host.host] })
  const hanging = await stage.submit({ targetImage: `${host.url}/hang.jpg` })
  expect((await stage.fetchDone(await stage.submit())).status).toBe('SUCCESS')
  expect((await stage.fetchJob(hanging)).status).toBe('ON_QUEUE')
})

test.each([
  ['does not exist', ['ENOTFOUND'], 'its host name does not exist', 'IMAGE_HOST_NOT_FOUND'],
  ['cannot be looked up at the moment', ['EAI_AGAIN'], 'its host name could not be looked up', 'IMAGE_HOST_NOT_FOUND'],
  ['resolves to a private address', ['10.0.0.1'], 'its address is not allowed', 'IMAGE_ADDRESS_NOT_ALLOWED'],
  [
    'resolves to a public and a private address',
    ['93.184.216.34', '127.0.0.1'],
    'its address is not allowed',
    'IMAGE_ADDRESS_NOT_ALLOWED',
  ],
])('a host name that %s is refused', async (_, answer, reason, code) => {
  const resolve: Resolve = (_hostname, resolved) => {
    const [first = ''] = answer
    const error = /^E[A-Z]/.test(first) ? Object.assign(new Error('getaddrinfo'), { code: first }) : null
    resolved(
      error,
      answer.map((address) => ({ address, family: 4 })),
    )
  }
  const guard = createAddressGuard({ allowedHosts: [], resolve })
  const connect = createGuardedConnector(guard, (lookup) => buildConnector({ lookup }))
  const dispatcher = new Agent({ connect })
  closers.add(() => dispatcher.destroy())
  const download = createDownload({ guard, dispatcher, maxBytes: MAX_BYTES, timeoutMs: 2000 })
  const message = `could not be downloaded: ${reason}`
  await expect(download('http://a.example/', new AbortController().signal)).rejects.toMatchObject({ code, message })
  expect(readImageFailure(`The target image ${message}.`)).toMatchObject({ code })
})

function redirectTo(location: string): (response: ServerResponse) => void {
  return (response) => response.writeHead(302, { location }).end()
}

/** Writes bytes that Node's own server would refuse to write. */
function raw(status: string, headers: readonly (string | Buffer)[], body = Buffer.alloc(0)) {
  const lines = headers.flatMap((header) => [Buffer.from(header), Buffer.from('\r\n')])
  const head = [Buffer.from(`${status}\r\n`), ...lines, Buffer.from('\r\n')]
  return ({ socket }: ServerResponse) => socket?.end(Buffer.concat([...head, body]))
}

function pour(response: ServerResponse): void {
  const chunk = Buffer.concat([JPEG_START, Buffer.alloc(100_000)])
  const more = () => {
    if (!response.destroyed) response.write(chunk, more)
  }
  more()
}

/** Sends bytes at short intervals, so that only a total timeout ends the download. */
function drip(response: ServerResponse): void {
  response.write(JPEG_START)
  const timer = setInterval(() => response.write('.'), 50)
  response.on('close', () => clearInterval(timer))
}
