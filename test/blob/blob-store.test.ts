/** Tests the contract of the blob store on each backend, then the additional guarantees of the file backend. */
import nodeCrypto, { createCipheriv, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import S3rver from 's3rver'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { BlobStore, ByteRange } from '../../src/blob/blob-store.ts'
import { openDiskBlobStore } from '../../src/blob/disk.ts'
import { openS3BlobStore } from '../../src/blob/s3.ts'
import { createClosers } from '../../src/lib/async/closers.ts'

const closers = createClosers()

afterEach(() => closers.closeAll())

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'swapface-blobs-'))
  closers.add(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function openDisk() {
  const folder = await makeFolder()
  return { folder, store: openDiskBlobStore(folder) }
}

async function openS3(): Promise<BlobStore> {
  // s3rver makes its continuation tokens with DES, which OpenSSL 3 lacks. The gateway never reads these tokens.
  const cipher = vi
    .spyOn(nodeCrypto, 'createCipheriv')
    .mockImplementation(() => createCipheriv('aes-128-cbc', randomBytes(16), randomBytes(16)))
  closers.add(() => cipher.mockRestore())
  const server = new S3rver({
    address: '127.0.0.1',
    port: 0,
    silent: true,
    directory: await makeFolder(),
    resetOnClose: true,
    vhostBuckets: false,
    configureBuckets: [{ name: 'images' }],
  })
  const { port } = await server.run()
  closers.add(() => server.close())
  return openS3BlobStore({
    endpoint: `http://127.0.0.1:${port}`,
    bucket: 'images',
    prefix: 'gateway/',
    region: 'us-east-1',
    accessKeyId: 'S3RVER',
    secretAccessKey: 'S3RVER',
  })
}

const BACKENDS: Record<string, { open: () => Promise<BlobStore>; knowsFreeBytes: boolean }> = {
  disk: { open: async () => (await openDisk()).store, knowsFreeBytes: true },
  S3: { open: openS3, knowsFreeBytes: false },
}

const TEXT = Buffer.from('0123456789')

async function read(store: BlobStore, key: string, range?: ByteRange) {
  const blob = await store.open(key, range)
  return blob && { byteLength: blob.byteLength, bytes: await buffer(blob.stream) }
}

async function keysOf(store: BlobStore, after: string | null = null, limit = 100): Promise<string[]> {
  return (await store.list(after, limit)).map(({ key }) => key)
}

describe.each(Object.entries(BACKENDS))('%s', (_name, { open, knowsFreeBytes }) => {
  test('returns a blob byte for byte as it was put', async () => {
    const store = await open()
    const every = Uint8Array.from({ length: 256 }, (_u, byte) => byte)
    await store.put('images/a_1-b.png', every, 'image/png')
    expect(await read(store, 'images/a_1-b.png')).toEqual({ byteLength: 256, bytes: Buffer.from(every) })
  })

  test('stores a blob of 5 MB and an empty blob like any other', async () => {
    const store = await open()
    const large = randomBytes(5_000_000)
    await store.put('large', large, 'image/jpeg')
    await store.put('empty', new Uint8Array(), 'image/jpeg')
    const back = await read(store, 'large')
    expect(back?.byteLength).toBe(5_000_000)
    expect(back?.bytes.equals(large)).toBe(true)
    expect(await read(store, 'empty')).toEqual({ byteLength: 0, bytes: Buffer.alloc(0) })
  })

  test('stores only the given part of a larger buffer', async () => {
    const store = await open()
    await store.put('part', new Uint8Array(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2), 'image/png')
    expect((await read(store, 'part'))?.bytes).toEqual(Buffer.from([2, 3]))
  })

  test.each([
    [{ start: 0, end: 3 }, '0123'],
    [{ start: 4, end: 6 }, '456'],
    [{ start: 9, end: 9 }, '9'],
    [{ start: 0, end: 9 }, '0123456789'],
  ])('returns exactly the range %j, with the length of the whole blob', async (range, text) => {
    const store = await open()
    await store.put('text', TEXT, 'text/plain')
    expect(await read(store, 'text', range)).toEqual({ byteLength: 10, bytes: Buffer.from(text) })
  })

  test.each([
    { start: 4, end: 10 },
    { start: 10, end: 12 },
    { start: 3, end: 2 },
    { start: -1, end: 2 },
    { start: 0.5, end: 2 },
  ])('refuses the range %j, which does not lie within the blob', async (range) => {
    const store = await open()
    await store.put('text', TEXT, 'text/plain')
    await expect(read(store, 'text', range)).rejects.toThrow(new TypeError('a byte range must lie within its blob'))
  })

  test('returns null for a missing blob, with and without a range', async () => {
    const store = await open()
    await store.put('a/b', TEXT, 'text/plain')
    const absent = ['c', 'a', 'a/b/c', 'a/c', 'c/d']
    expect(await Promise.all(absent.map((key) => store.open(key)))).toEqual(absent.map(() => null))
    expect(await store.open('c', { start: 0, end: 1 })).toBeNull()
  })

  test('removes a deleted blob from reads and lists, and accepts a second delete', async () => {
    const store = await open()
    await store.put('a/1', TEXT, 'text/plain')
    await store.put('a/2', TEXT, 'text/plain')
    await store.delete('a/1')
    await store.delete('a/1')
    await store.delete('b/never-there')
    expect(await store.open('a/1')).toBeNull()
    expect(await keysOf(store)).toEqual(['a/2'])
  })

  test('stores one blob for a key that is put twice', async () => {
    const store = await open()
    await Promise.all([store.put('a', TEXT, 'text/plain'), store.put('a', TEXT, 'text/plain')])
    await store.put('a', TEXT, 'text/plain')
    expect(await keysOf(store)).toEqual(['a'])
    expect(await read(store, 'a')).toEqual({ byteLength: 10, bytes: TEXT })
  })

  test('lists nothing if there are no blobs, or if the limit is zero', async () => {
    const store = await open()
    expect(await store.list(null, 10)).toEqual([])
    await store.put('a', TEXT, 'text/plain')
    expect(await store.list(null, 0)).toEqual([])
  })

  test('lists blobs in the order of their keys, with the time of each put', async () => {
    const store = await open()
    const before = Date.now()
    for (const key of ['b/2', 'a/x/9', 'c', 'b/10', '0', 'a/1']) await store.put(key, TEXT, 'text/plain')
    const blobs = await store.list(null, 100)
    expect(blobs.map(({ key }) => key)).toEqual(['0', 'a/1', 'a/x/9', 'b/10', 'b/2', 'c'])
    for (const { at } of blobs) {
      // Some stores report whole seconds only.
      expect(at).toBeGreaterThan(before - 2_000)
      expect(at).toBeLessThan(Date.now() + 2_000)
    }
  })

  test('lists the same keys in pages, even after the last key of a page was deleted', async () => {
    const store = await open()
    const keys = ['a/1', 'a/2', 'a/x/1', 'b/1', 'b/2', 'c', 'd/1']
    await Promise.all(keys.map((key) => store.put(key, TEXT, 'text/plain')))
    const pages: string[][] = []
    let after: string | null = null
    do {
      const page = await keysOf(store, after, 3)
      pages.push(page)
      after = page.at(-1) ?? null
    } while (after !== null)
    expect(pages).toEqual([['a/1', 'a/2', 'a/x/1'], ['b/1', 'b/2', 'c'], ['d/1'], []])
    await store.delete('b/1')
    expect(await keysOf(store, 'b/1', 2)).toEqual(['b/2', 'c'])
  })

  test.each([
    '',
    '../outside',
    'a/../../outside',
    'a/..',
    './a',
    '/etc/passwd',
    'a//b',
    'a/',
    'A',
    'a b',
    'a\\b',
    'a\n',
    'a%2f..',
    'a?b',
    'a~1.part',
    'ä',
    'a\0',
    'a'.repeat(201),
  ])('refuses the key %.20j with a TypeError', async (key) => {
    const store = await open()
    const refusal = { name: 'TypeError', message: expect.stringContaining('blob key') }
    await expect(store.put(key, TEXT, 'text/plain')).rejects.toMatchObject(refusal)
    await expect(store.open(key)).rejects.toMatchObject(refusal)
    await expect(store.delete(key)).rejects.toMatchObject(refusal)
  })

  test('stores a blob under the longest key with every allowed character', async () => {
    const store = await open()
    const key = `a-z_0.9/${'k'.repeat(192)}`
    await store.put(key, TEXT, 'text/plain')
    expect(await keysOf(store)).toEqual([key])
    expect((await read(store, key))?.bytes).toEqual(TEXT)
  })

  test('returns the free bytes if the backend knows them, and null otherwise', async () => {
    const free = await (await open()).freeBytes()
    expect(free === null ? 'unknown' : free > 0).toBe(knowsFreeBytes ? true : 'unknown')
  })

  test('leaves every blob in place when it sweeps', async () => {
    const store = await open()
    await store.put('a/1.part', TEXT, 'text/plain')
    await store.sweep()
    expect(await keysOf(store)).toEqual(['a/1.part'])
  })
})

describe('the file backend', () => {
  const YOUNG_S = 3_500
  const OLD_S = 3_700

  async function leave(path: string, ageS: number): Promise<void> {
    await writeFile(path, 'half')
    const at = Date.now() / 1_000 - ageS
    await utimes(path, at, at)
  }

  test('shows a reader all of a blob or nothing while it is put', async () => {
    const { store } = await openDisk()
    const large = randomBytes(20_000_000)
    const ended = new AbortController()
    const put = store.put('a/large', large, 'image/png').finally(() => ended.abort())
    const seen = new Set<number | null>()
    while (!ended.signal.aborted) {
      const blob = await store.open('a/large')
      seen.add(blob && blob.byteLength)
      blob?.stream.destroy()
    }
    await put
    expect([...seen].filter((bytes) => bytes !== null && bytes !== 20_000_000)).toEqual([])
    expect(seen).toContain(null)
    expect((await read(store, 'a/large'))?.bytes.equals(large)).toBe(true)
  })

  test('lets a reader with an open blob read all of it after a delete', async () => {
    const { store } = await openDisk()
    const large = randomBytes(1_000_000)
    await store.put('a', large, 'image/png')
    const blob = await store.open('a')
    await store.delete('a')
    expect(blob && (await buffer(blob.stream)).equals(large)).toBe(true)
  })

  test('closes the file of a stream that is destroyed before its end', async () => {
    const { store } = await openDisk()
    await store.put('large', randomBytes(1_000_000), 'image/jpeg')
    const stream = (await store.open('large'))?.stream
    stream?.destroy()
    if (stream) await once(stream, 'close')
    expect(stream).toMatchObject({ closed: true, fd: null })
  })

  test('leaves nothing but the blob in the folder after a put', async () => {
    const { folder, store } = await openDisk()
    await store.put('a/1', TEXT, 'text/plain')
    expect(await readdir(join(folder, 'a'))).toEqual(['1'])
  })

  test('leaves no file behind when a put fails', async () => {
    const { folder, store } = await openDisk()
    await store.put('a/1', TEXT, 'text/plain')
    await expect(store.put('a', TEXT, 'text/plain')).rejects.toThrow(/EISDIR|ENOTDIR|EEXIST|ENOTEMPTY/)
    expect(await readdir(folder)).toEqual(['a'])
  })

  test('ignores a partial file that a crash left, and deletes it once it is an hour old', async () => {
    const { folder, store } = await openDisk()
    await store.put('a/b/1', TEXT, 'text/plain')
    const [old, young] = [join(folder, 'a/b/2~0a1b2c3d.part'), join(folder, 'a/b/3~0a1b2c3d.part')]
    await leave(old, OLD_S)
    await leave(young, YOUNG_S)
    expect(await keysOf(store)).toEqual(['a/b/1'])
    await store.sweep()
    expect([existsSync(old), existsSync(young)]).toEqual([false, true])
    expect(await keysOf(store)).toEqual(['a/b/1'])
  })

  test('does not sweep a blob, however old', async () => {
    const { folder, store } = await openDisk()
    await leave(join(folder, 'blob'), OLD_S)
    await store.sweep()
    expect(await keysOf(store)).toEqual(['blob'])
  })

  test('lists keys with a slash in the order of the whole key, in pages too', async () => {
    const { store } = await openDisk()
    const keys = ['a-b', 'a.b', 'a/1', 'a/2-b', 'a/2/1', 'a0', 'a_b', 'ab']
    await Promise.all(keys.map((key) => store.put(key, TEXT, 'text/plain')))
    expect(await keysOf(store)).toEqual(keys)
    const rest = await Promise.all(keys.map((key) => keysOf(store, key)))
    expect(rest).toEqual(keys.map((_key, index) => keys.slice(index + 1)))
  })

  test('neither lists nor removes files of other programs in its folder', async () => {
    const { folder, store } = await openDisk()
    await mkdir(join(folder, 'lost+found'))
    await leave(join(folder, 'lost+found/x~0a1b2c3d.part'), OLD_S)
    await leave(join(folder, 'README'), OLD_S)
    await store.sweep()
    expect(await keysOf(store)).toEqual([])
    expect((await readdir(folder, { recursive: true })).toSorted()).toEqual([
      'README',
      'lost+found',
      'lost+found/x~0a1b2c3d.part',
    ])
  })

  test('creates its folder when it is opened, and makes blobs unreadable for other users', async () => {
    const folder = join(await makeFolder(), 'deep/er')
    const store = openDiskBlobStore(folder)
    expect(await store.list(null, 10)).toEqual([])
    await store.put('a/1', TEXT, 'text/plain')
    const modes = await Promise.all(['', 'a', 'a/1'].map(async (path) => (await stat(join(folder, path))).mode & 0o077))
    expect(modes).toEqual([0, 0, 0])
  })

  test('sees the blobs of another store on the same folder', async () => {
    const { folder, store } = await openDisk()
    await store.put('a', TEXT, 'text/plain')
    expect(await read(openDiskBlobStore(folder), 'a')).toEqual({ byteLength: 10, bytes: TEXT })
  })
})
