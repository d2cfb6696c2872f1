import { describe, expect, test } from 'vitest'
import { localViewer } from '../../../src/auth/authenticate.ts'
import { connectWire, openLiveStage } from '../../support/live-stage.ts'
import { closeAfterTest } from '../../support/close-after-test.ts'
import { subscribeSse } from '../../support/test-app.ts'
import { until } from '../../support/until.ts'

const WATCH = 'subscription ($tag: String) { watched(tag: $tag) { text version } }'

/** Collects the events of a stream, for each transport. */
const ROADS = {
  SSE: async (url: string, seen: unknown[]) => {
    const stop = new AbortController()
    closeAfterTest(() => stop.abort())
    for await (const event of subscribeSse(url, WATCH, {}, stop.signal)) seen.push(event.data.watched.version)
  },
  WebSocket: async (url: string, seen: unknown[]) => {
    const { init, subscribe, socket } = connectWire(url)
    await init()
    const completed = new Promise<void>((resolve) => {
      socket.on('message', (data: Buffer) => {
        const message = JSON.parse(data.toString())
        if (message.type === 'next') seen.push(message.payload.data.watched.version)
        if (message.type === 'complete') resolve()
      })
    })
    subscribe('1', WATCH)
    await completed
  },
}

describe.each(Object.entries(ROADS))('over %s', (_name, watch) => {
  test('a subscription emits the current state and each newer one, and completes after the final one', async () => {
    const { url, watched, listeners } = await openLiveStage()
    const seen: number[] = []
    const completed = watch(url, seen)
    await until(() => seen.length === 1)
    watched.set({ text: 'second', version: 2 })
    await until(() => seen.length === 2)
    watched.set({ text: 'third', version: 3, last: true })
    await completed
    expect(seen).toEqual([1, 2, 3])
    expect(listeners()).toBe(0)
  })

  test('a subscription repeats the state while nothing changes', async () => {
    const { url, watched } = await openLiveStage({ repeatAfterMs: 300 })
    const seen: number[] = []
    const completed = watch(url, seen)
    await until(() => seen.length === 4)
    expect(new Set(seen)).toEqual(new Set([1]))
    watched.set({ text: 'last', version: 2, last: true })
    await completed
    expect(seen.at(-1)).toBe(2)
  })

  test('a subscription continues when its feed can be read again', async () => {
    const { url, watched, errors } = await openLiveStage()
    const seen: number[] = []
    const completed = watch(url, seen)
    await until(() => seen.length === 1)
    watched.failure = new Error('the store is away')
    watched.set({ text: 'last', version: 2, last: true })
    await until(() => errors.length > 0)
    watched.failure = null
    await completed
    expect(seen).toEqual([1, 2])
  })
})

test('an event is executed once for all subscribers of the same operation', async () => {
  const { url, watched } = await openLiveStage()
  const { init, subscribe, messages } = connectWire(url)
  await init()
  for (let n = 0; n < 20; n += 1) subscribe(String(n), 'subscription { watched { version } }')
  await until(() => messages.filter(({ type }) => type === 'next').length === 20)
  const { given, executed } = watched
  watched.set({ text: 'last', version: 2, last: true })
  await until(() => messages.filter(({ type }) => type === 'complete').length === 20)
  expect([watched.given - given, watched.executed - executed]).toEqual([20, 1])
})

test('subscribers with another document or other variables each get their own results', async () => {
  const { url, watched } = await openLiveStage()
  const { init, subscribe, messages } = connectWire(url)
  await init()
  subscribe('1', 'subscription { watched { version } }')
  subscribe('2', 'subscription { watched { text } }')
  subscribe('3', 'subscription { renamed: watched { version } }')
  watched.set({ text: 'last', version: 2, last: true })
  await until(() => messages.filter(({ type }) => type === 'complete').length === 3)
  const last = (wanted: string) => messages.findLast(({ type, id }) => type === 'next' && id === wanted)?.payload
  expect(last('1')).toEqual({ data: { watched: { version: 2 } } })
  expect(last('2')).toEqual({ data: { watched: { text: 'last' } } })
  expect(last('3')).toEqual({ data: { renamed: { version: 2 } } })
})

test('a subscriber that stops reading gets the newest state when it resumes, and does not delay others', async () => {
  const { url, watched, unsentBytes } = await openLiveStage()
  const slow = connectWire(url)
  await slow.init()
  slow.subscribe('1', WATCH)
  await until(() => slow.messages.some(({ type }) => type === 'next'))
  slow.socket.pause()
  const fast = connectWire(url)
  await fast.init()
  fast.subscribe('1', WATCH)
  await until(() => fast.messages.some(({ type }) => type === 'next'))
  const text = 'x'.repeat(10_000)
  const CHANGES = 3_000
  for (let version = 2; version < CHANGES; version += 1) {
    watched.set({ text, version })
    if (version % 100 === 0) await until(() => versionOf(fast.messages.at(-1)) === version)
  }
  const unsent = unsentBytes()
  watched.set({ text: 'the end', version: CHANGES, last: true })
  slow.socket.resume()
  await until(() => slow.messages.some(({ type }) => type === 'complete'))
  const versions = slow.messages.flatMap((message) => (message.type === 'next' ? [versionOf(message)] : []))
  expect(versions.at(-1)).toBe(CHANGES)
  expect(versions).toEqual(versions.toSorted((a = 0, b = 0) => a - b))
  expect(versions.length).toBeLessThan(CHANGES)
  expect(unsent).toBeLessThan(100_000)
})

test('an SSE stream is cut when the credential of its viewer expires', async () => {
  let now = 0
  const { url } = await openLiveStage({ viewer: { ...localViewer, expiresAt: 100 }, now: () => now })
  const seen: unknown[] = []
  await expect(
    (async () => {
      for await (const event of subscribeSse(url, WATCH, {})) {
        seen.push(event)
        now = 100
      }
    })(),
  ).rejects.toThrow('terminated')
  expect(seen).toHaveLength(1)
})

describe('an SSE request', () => {
  const ask = async (url: string, init: RequestInit) => {
    const response = await fetch(`${url}/graphql`, {
      ...init,
      headers: { accept: 'text/event-stream', 'content-type': 'application/json' },
    })
    return { status: response.status, text: await response.text() }
  }

  test('may be a query, which sends one event and completes', async () => {
    const { url } = await openLiveStage()
    const { status, text } = await ask(url, { method: 'POST', body: JSON.stringify({ query: '{ now }' }) })
    expect([status, text]).toEqual([200, 'event: next\ndata: {"data":{"now":"now"}}\n\nevent: complete\ndata: \n\n'])
  })

  test('that cannot run sends its errors as one event, and completes', async () => {
    const { url } = await openLiveStage()
    for (const query of ['{', '{ nope }', 'query A { now } query B { now }']) {
      const { text } = await ask(url, { method: 'POST', body: JSON.stringify({ query }) })
      expect(text).toMatch(/^event: next\ndata: \{"errors":\[.+\]\}\n\nevent: complete\n/)
    }
  })

  test('that is malformed is refused with 400, 405 or 413', async () => {
    const { url } = await openLiveStage()
    expect((await ask(url, { method: 'POST', body: 'nonsense' })).status).toBe(400)
    expect((await ask(url, { method: 'POST', body: '{"variables":{}}' })).status).toBe(400)
    expect((await ask(url, { method: 'POST', body: JSON.stringify({ query: 'x'.repeat(300_000) }) })).status).toBe(413)
    expect((await ask(url, { method: 'PUT', body: '{}' })).status).toBe(405)
    expect((await ask(url, { method: 'GET' })).status).toBe(400)
  })
})

function versionOf(message: { readonly payload?: unknown } | undefined): number | undefined {
  return (message?.payload as { data: { watched: { version: number } } } | undefined)?.data.watched.version
}
