/** The S3 store if the network or the server fails, hangs or returns invalid responses. */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { afterEach, expect, test, vi } from 'vitest'
import type { BlobStore } from '../../src/blob/blob-store.ts'
import { openS3BlobStore } from '../../src/blob/s3.ts'
import { createClosers } from '../../src/lib/async/closers.ts'
import { openScriptedHost, type SeenRequest } from '../support/scripted-host.ts'
import { until } from '../support/until.ts'

const closers = createClosers()

afterEach(() => closers.closeAll())

const KEY_ID = 'AKIAIOSFODNN7EXAMPLE'
const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
const BYTES = Buffer.from('hello')

function openStoreAt(endpoint: string, prefix = 'gateway/') {
  return openS3BlobStore({
    endpoint,
    bucket: 'images',
    prefix,
    region: 'us-east-1',
    accessKeyId: KEY_ID,
    secretAccessKey: SECRET,
  })
}

async function openHost(script: (request: SeenRequest, response: ServerResponse, nth: number) => void) {
  let nth = 0
  const host = await openScriptedHost((request, response) => {
    nth += 1
    script(request, response, nth)
  })
  closers.add(() => host.close())
  return { host, store: openStoreAt(host.url) }
}

const CALLS: Record<string, (store: BlobStore) => Promise<unknown>> = {
  put: (store) => store.put('a', BYTES, 'image/png'),
  open: (store) => store.open('a'),
  delete: (store) => store.delete('a'),
  list: (store) => store.list(null, 10),
}

async function failureOf(call: Promise<unknown>): Promise<Error> {
  try {
    await call
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('it did not fail')
}

/** Renders everything that a log could show of an error. */
function shownOf(error: Error): string {
  return `${error.name} ${error.message} ${JSON.stringify(error)} ${String(error.cause)}`
}

test('every call is tried three times if the store fails, and then rejects with the status', async () => {
  const ends = Object.entries(CALLS).map(async ([name, call]) => {
    const { host, store } = await openHost((_request, response) => response.writeHead(503).end('SlowDown'))
    return { name, says: (await failureOf(call(store))).message, tries: host.requests.length }
  })
  expect(await Promise.all(ends)).toEqual(
    Object.keys(CALLS).map((name) => ({ name, says: `S3 ${name}: HTTP status 503`, tries: 3 })),
  )
})

test('every call succeeds if its third try does, and sends the same request each time', async () => {
  const ends = Object.entries(CALLS).map(async ([name, call]) => {
    const { host, store } = await openHost((_request, response, nth) => {
      if (nth === 1) response.destroy()
      else if (nth === 2) response.writeHead(500).end()
      else response.writeHead(name === 'open' ? 404 : 200).end(name === 'list' ? '<ListBucketResult/>' : '')
    })
    await call(store)
    return { name, sent: host.requests.map(({ body }) => body) }
  })
  expect(await Promise.all(ends)).toEqual(
    Object.keys(CALLS).map((name) => ({
      name,
      sent: Array.from({ length: 3 }, () => (name === 'put' ? 'hello' : '')),
    })),
  )
})

test.each(Object.entries(CALLS))('%s is not retried if the store refuses', async (name, call) => {
  const { host, store } = await openHost((_request, response) => response.writeHead(403).end('<Error/>'))
  await expect(call(store)).rejects.toThrow(`S3 ${name}: HTTP status 403`)
  expect(host.requests).toHaveLength(1)
})

test.each(Object.entries(CALLS))('%s sends its signature to no redirect target', async (name, call) => {
  const elsewhere = await openHost((_request, response) => response.writeHead(200).end())
  const { store } = await openHost((_request, response) =>
    response.writeHead(307, { location: `${elsewhere.host.url}/` }).end(),
  )
  await expect(call(store)).rejects.toThrow(`S3 ${name}: HTTP status 307`)
  expect(elsewhere.host.requests).toHaveLength(0)
})

test('an error shows no address, no key id and no signature, with or without a response', async () => {
  const { host, store } = await openHost((_request, response) => response.writeHead(403).end(`${KEY_ID} Signature=`))
  const refused = await failureOf(store.put('a', BYTES, 'image/png'))
  await host.close()
  const unheard = await failureOf(store.put('a', BYTES, 'image/png'))
  expect(unheard.message).toMatch(/^S3 put: no response \([A-Z_]+\)$/)
  const [, port = ''] = host.host.split(':')
  for (const shown of [refused, unheard].map(shownOf)) {
    for (const secret of ['127.0.0.1', port, KEY_ID, SECRET, 'ignature', 'gateway/'])
      expect(shown).not.toContain(secret)
  }
})

test.each(Object.entries(CALLS))('%s times out after thirty seconds if the store hangs', async (name, call) => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  closers.add(() => {
    vi.useRealTimers()
  })
  const { host, store } = await openHost(() => {})
  const failure = failureOf(call(store))
  await until(() => host.requests.length)
  vi.advanceTimersByTime(30_000)
  expect((await failure).message).toBe(`S3 ${name}: timed out`)
  expect(host.requests).toHaveLength(1)
  expect(vi.getTimerCount()).toBe(0)
})

test('the timeout of a call does not cut off a blob that is read slowly', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  closers.add(() => {
    vi.useRealTimers()
  })
  let finish = () => {}
  const { store } = await openHost((_request, response) => {
    response.writeHead(200, { 'content-length': 10 }).write('01234')
    finish = () => response.end('56789')
  })
  const blob = await store.open('a')
  vi.advanceTimersByTime(60_000)
  finish()
  expect(blob && String(await buffer(blob.stream))).toBe('0123456789')
})

test('a truncated blob fails its reader, with an error that shows no address', async () => {
  const { host, store } = await openHost((_request, response) => {
    response.writeHead(200, { 'content-length': 10 })
    response.write('01234', () => response.destroy())
  })
  const blob = await store.open('a')
  if (!blob) throw new Error('not there')
  const failure = await failureOf(buffer(blob.stream))
  expect(failure.message).toBe('S3 open: the response was cut off')
  expect(shownOf(failure)).not.toContain(host.host)
})

test('a stream that is destroyed while it waits for more ends the call', async () => {
  let isCut = false
  const { store } = await openHost((_request, response) => {
    response.writeHead(200, { 'content-length': 10 }).write('01234')
    response.once('close', () => {
      isCut = !response.writableEnded
    })
  })
  const stream = (await store.open('a'))?.stream
  if (!stream) throw new Error('not there')
  const [first] = await once(stream, 'data')
  stream.destroy()
  await once(stream, 'close')
  expect(String(first)).toBe('01234')
  expect(await until(() => isCut)).toBe(true)
})

test.each([
  ['the whole blob', 200, { 'content-length': '10' }],
  ['another range', 206, { 'content-length': '3', 'content-range': 'bytes 1-3/10' }],
  ['a range without a total length', 206, { 'content-length': '3', 'content-range': 'bytes 0-2/*' }],
])('a read fails if the response to its range request has %s', async (_what, status, headers) => {
  const { store } = await openHost((_request, response) =>
    response.writeHead(status, headers).end('0123456789'.slice(0, Number(headers['content-length']))),
  )
  await expect(store.open('a', { start: 0, end: 2 })).rejects.toThrow(`S3 open: HTTP status ${status} without`)
})

test('a put and a list fail if the bucket does not exist', async () => {
  const { store } = await openHost((_request, response) => response.writeHead(404).end('NoSuchBucket'))
  await expect(store.put('a', BYTES, 'image/png')).rejects.toThrow('S3 put: HTTP status 404')
  await expect(store.list(null, 1)).rejects.toThrow('S3 list: HTTP status 404')
})

function toList(names: readonly string[], isTruncated: boolean): string {
  const contents = names.map(
    (name) =>
      `<Contents><Key>${name}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>` +
      `<Owner><ID>1</ID></Owner><Size>1</Size></Contents>`,
  )
  return `<?xml version="1.0"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
    <Name>images</Name><IsTruncated>${isTruncated}</IsTruncated>${contents.join('\n')}</ListBucketResult>`
}

test('a list reads further pages of the store until it has as many keys as requested', async () => {
  const pages = [['gateway/a', 'gateway/b'], ['gateway/c'], ['gateway/d']]
  const { host, store } = await openHost((_request, response, nth) =>
    response.end(toList(pages[nth - 1] ?? [], nth < pages.length)),
  )
  const at = Date.UTC(2026, 0, 2, 3, 4, 5)
  expect(await store.list(null, 2_000)).toEqual(
    ['a', 'b', 'c', 'd'].map((key) => ({ key, at, byteLength: expect.any(Number) })),
  )
  const queries = host.requests.map(({ path }) => new URL(path, host.url).searchParams)
  expect(queries.map((query) => [query.get('max-keys'), query.get('start-after')])).toEqual([
    ['1000', null],
    ['1000', 'gateway/b'],
    ['1000', 'gateway/c'],
  ])
})

test('a list skips objects of other programs in the bucket, and continues after them', async () => {
  const { host, store } = await openHost((_request, response, nth) =>
    response.end(
      nth === 1
        ? toList(['gateway/', 'gateway/a&amp;b&#x21;&#33;&lt;'], true)
        : toList(['gateway/b&#x2F;c', 'gateway/Z'], false),
    ),
  )
  expect((await store.list(null, 2)).map(({ key }) => key)).toEqual(['b/c'])
  expect(new URL(host.requests[1]?.path ?? '', host.url).searchParams.get('start-after')).toBe('gateway/a&b!!<')
})

test.each([
  ['is not a list', '<html>Sign in</html>', 'the response is not a list'],
  ['has an entry without a key', '<ListBucketResult><Contents></Contents>', 'an entry of the response cannot be read'],
  ['never ends', 'x'.repeat(9 * 1_024 * 1_024), 'the response is too long'],
])('a list fails if the response %s', async (_what, body, problem) => {
  const { store } = await openHost((_request, response) => response.end(body))
  await expect(store.list(null, 10)).rejects.toThrow(problem)
})

test('consecutive calls share one connection', async () => {
  const ports = new Set<number | undefined>()
  const { store } = await openHost((request, response) => {
    ports.add(response.socket?.remotePort)
    response.writeHead(request.method === 'DELETE' ? 204 : 200).end()
  })
  for (const key of ['a', 'b', 'c']) {
    await store.put(key, BYTES, 'image/png')
    await store.delete(key)
  }
  expect(ports.size).toBe(1)
})
