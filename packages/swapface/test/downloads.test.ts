import type { ServerResponse } from 'node:http'

import { Agent, buildConnector } from 'undici'
import { afterEach, expect, test } from 'vitest'

import { createAddressGuard, createGuardedConnector, type Resolve } from '../../../src/lib/address-guard.ts'
import { createClosers } from '../../../src/lib/closers.ts'
import { createDownload, ImageRefused } from '../src/download.ts'
import { openScriptedHost } from '../../../test/support/scripted-host.ts'
import { JPEG_START, openStage } from './support/swapface-stage.ts'

const MAX_BYTES = 2_000_000
const closers = createClosers()
afterEach(() => closers.closeAll())

/** What the host of images answers, by path. Other paths get no answer at all. */
const answers: Readonly<Record<string, (response: ServerResponse) => void>> = {
  '/good.jpg': (response) => response.end(JPEG_START),
  '/page.jpg': (response) => response.setHeader('content-type', 'image/jpeg').end('<html>not an image</html>'),
  '/empty.jpg': (response) => response.end(),
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
  '/3-redirects.jpg': redirectTo('/2-redirects.jpg'),
  '/2-redirects.jpg': redirectTo('1-redirect.jpg'),
  '/1-redirect.jpg': redirectTo('/good.jpg'),
}

test.each([
  ['/page.jpg', 'could not be read: it is not a JPEG, PNG or WebP image.'],
  ['/empty.jpg', 'could not be read: it is not a JPEG, PNG or WebP image.'],
  ['/missing.jpg', 'could not be downloaded: 404 from HOST.'],
  ['/broken.jpg', 'could not be downloaded: 500 from HOST.'],
  ['/no-content.jpg', 'could not be downloaded: 204 from HOST.'],
  ['/says-large.jpg', 'is too large: more than 2 MB.'],
  ['/endless.jpg', 'is too large: more than 2 MB.'],
  ['/drip.jpg', 'could not be downloaded: no complete answer within 0.4 s.'],
  ['/hang.jpg', 'could not be downloaded: no complete answer within 0.4 s.'],
  ['/cut.jpg', 'could not be downloaded: its host cannot be reached.'],
  ['/to-metadata.jpg', 'could not be downloaded: the address of 169.254.169.254 is not allowed.'],
  ['/to-loopback.jpg', 'could not be downloaded: the address of 127.0.0.1:1 is not allowed.'],
  ['/to-file.jpg', 'could not be downloaded: only http and https addresses are allowed, not file:.'],
  ['/to-nowhere.jpg', 'could not be downloaded: a redirect to no address.'],
  ['/loop.jpg', 'could not be downloaded: more than 3 redirects.'],
  ['http://127.0.0.1:1/a.jpg', 'could not be downloaded: the address of 127.0.0.1:1 is not allowed.'],
  ['http://2130706433/a.jpg', 'could not be downloaded: the address of 127.0.0.1 is not allowed.'],
  ['http://localhost:1/a.jpg', 'could not be downloaded: the address of localhost:1 is not allowed.'],
  ['http://[::1]:1/a.jpg', 'could not be downloaded: the address of [::1]:1 is not allowed.'],
  ['http://127.0.0.1:2/a.jpg', 'could not be downloaded: its host refuses connections.'],
])('a swap with %s fails: the image %s', async (path, reason) => {
  const host = await openScriptedHost((request, response) => answers[request.path]?.(response))
  closers.add(() => host.close())
  const stage = await openStage(closers, {
    allowedPrivateHosts: [host.host, '127.0.0.1:2'],
    downloadTimeoutMs: 400,
    maxImageBytes: MAX_BYTES,
  })
  const url = path.startsWith('/') ? host.url + path : path
  const message = reason.replace('HOST', host.host)

  const asTarget = await stage.fetchDone(await stage.submit({ targetImage: url }))
  expect(asTarget).toMatchObject({ status: 'FAILED', message: `The target image ${message}`, data: null })
  const asFace = await stage.fetchDone(await stage.submit({ swapImage: url }))
  expect(asFace).toMatchObject({ status: 'FAILED', message: `The face image ${message}`, data: null })
  expect(stage.engine.targets).toHaveLength(0)
})

test('an image behind three redirects is used', async () => {
  const host = await openScriptedHost((request, response) => answers[request.path]?.(response))
  closers.add(() => host.close())
  const stage = await openStage(closers, { allowedPrivateHosts: [host.host] })
  const done = await stage.fetchDone(await stage.submit({ targetImage: `${host.url}/3-redirects.jpg` }))
  expect(done.status).toBe('SUCCESS')
})

test('a download asks for no compression and sends nothing of ours', async () => {
  const stage = await openStage(closers)
  await stage.fetchDone(await stage.submit())
  const [first] = stage.images.requests
  expect(first?.headers).toEqual({
    accept: 'image/jpeg, image/png, image/webp',
    'accept-encoding': 'identity',
    connection: 'close',
    host: stage.images.host,
  })
})

test('a hanging download holds up no other job', async () => {
  const host = await openScriptedHost(() => undefined)
  closers.add(() => host.close())
  const stage = await openStage(closers, { allowedPrivateHosts: [host.host] })
  const hanging = await stage.submit({ targetImage: `${host.url}/hang.jpg` })
  expect((await stage.fetchDone(await stage.submit())).status).toBe('SUCCESS')
  expect((await stage.fetchJob(hanging)).status).toBe('ON_QUEUE')
})

test.each([
  ['resolves to nothing', [], 'could not be downloaded: its host name is not known'],
  ['resolves to a private address', ['10.0.0.1'], 'could not be downloaded: the address of a.example is not allowed'],
  [
    'resolves to a public and a private address',
    ['93.184.216.34', '127.0.0.1'],
    'could not be downloaded: the address of a.example is not allowed',
  ],
])('a host name that %s is refused', async (_, addresses, reason) => {
  const resolve: Resolve = (_hostname, resolved) => {
    const error = Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' })
    resolved(
      addresses.length === 0 ? error : null,
      addresses.map((address) => ({ address, family: 4 })),
    )
  }
  const guard = createAddressGuard({ allowedHosts: [], resolve })
  const connect = createGuardedConnector(guard, (lookup) => buildConnector({ lookup }))
  const dispatcher = new Agent({ connect })
  closers.add(() => dispatcher.destroy())
  const download = createDownload({ guard, dispatcher, maxBytes: MAX_BYTES, timeoutMs: 2000 })
  await expect(download('http://a.example/', new AbortController().signal)).rejects.toThrow(new ImageRefused(reason))
})

function redirectTo(location: string): (response: ServerResponse) => void {
  return (response) => response.writeHead(302, { location }).end()
}

function pour(response: ServerResponse): void {
  const chunk = Buffer.concat([JPEG_START, Buffer.alloc(100_000)])
  const more = () => {
    if (!response.destroyed) response.write(chunk, more)
  }
  more()
}

/** Never silent for long, so that only a total time-out ends it. */
function drip(response: ServerResponse): void {
  response.write(JPEG_START)
  const timer = setInterval(() => response.write('.'), 50)
  response.on('close', () => clearInterval(timer))
}
