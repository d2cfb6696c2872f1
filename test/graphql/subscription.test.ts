import { createClient as createSseClient } from 'graphql-sse'
import { createClient as createWsClient } from 'graphql-ws'
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { CreateSwapDocument, WatchSwapJobDocument } from '../support/generated.ts'
import { connectWire } from '../support/live-stage.ts'
import { holdSubmit } from '../support/hold-submit.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { openTestApp, subscribeSse, type TestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const WATCH = WatchSwapJobDocument.toString()
const INPUT = { targetImage: { url: 'https://example.com/t.jpg' }, swapImage: { url: 'https://example.com/f.jpg' } }

async function createJob(gateway: TestApp, input: object = INPUT) {
  const { data } = await gateway.graphql(CreateSwapDocument.toString(), { input })
  const accepted = gateway.upstream.accepted.at(-1)
  if (!accepted) throw new Error('the upstream took no job')
  return { id: String(data.createSwap.job.id), accepted }
}

interface Event {
  readonly data?: {
    readonly swapJobUpdated: { readonly status: string; readonly version: number; readonly done: boolean }
  } | null
  readonly errors?: readonly { readonly message: string }[]
}

/** Yields the events of a subscription until the server completes it, for each transport. */
const ROADS: Record<string, (url: string, variables: { id: string }) => AsyncIterable<Event>> = {
  'plain SSE': (url, variables) => subscribeSse(url, WATCH, variables),
  "graphql-sse's client": (url, variables) => {
    const client = createSseClient({ url: `${url}/graphql`, retryAttempts: 0 })
    closeAfterTest(() => client.dispose())
    return client.iterate({ query: WATCH, variables }) as AsyncIterable<Event>
  },
  "graphql-ws's client": (url, variables) => {
    const client = createWsClient({
      url: `${url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      retryAttempts: 0,
    })
    closeAfterTest(() => client.dispose())
    return client.iterate({ query: WATCH, variables }) as AsyncIterable<Event>
  },
}

describe.each(Object.entries(ROADS))('over %s', (_name, watch) => {
  test('a subscription emits the current state, each change and one final event, and completes', async () => {
    const gateway = await openTestApp()
    const { id, accepted } = await createJob(gateway)
    const events: [string, number, boolean][] = []
    for await (const { data } of watch(gateway.app.url, { id })) {
      if (!data) throw new Error('no data')
      const { status, version, done } = data.swapJobUpdated
      events.push([status, version, done])
      if (status === 'ON_QUEUE') {
        accepted.state = { status: 'SUCCESS' }
        await gateway.upstream.sendHook(accepted)
      }
    }
    expect(events).toEqual([
      ['ON_QUEUE', 2, false],
      ['SUCCESS', 3, true],
    ])
  })

  test('a subscription to a finished job emits it once, and completes at once', async () => {
    const gateway = await openTestApp()
    const { id, accepted } = await createJob(gateway)
    accepted.state = { status: 'SUCCESS' }
    await gateway.graphql(`{ swapJob(id: "${id}") { status } }`)
    const events: unknown[] = []
    for await (const event of watch(gateway.app.url, { id })) events.push(event.data?.swapJobUpdated.status)
    expect(events).toEqual(['SUCCESS'])
  })

  test('a subscription to an unknown job emits an error, and completes', async () => {
    const { app } = await openTestApp()
    const seen: unknown[] = []
    try {
      for await (const event of watch(app.url, { id: 'job_none' })) seen.push(event.errors)
    } catch (error) {
      // graphql-ws throws the errors of a failed subscribe.
      seen.push(error)
    }
    expect(JSON.stringify(seen)).toContain('The job does not exist.')
    expect(seen).toHaveLength(1)
  })
})

test('a subscription opened before the response to the submit emits PENDING, then every later state', async () => {
  const gateway = await openTestApp()
  const release = holdSubmit(gateway.upstream)
  const creating = createJob(gateway, { ...INPUT, idempotencyKey: 'k1' })
  await until(() => gateway.upstream.accepted[0])
  const again = await gateway.graphql(CreateSwapDocument.toString(), { input: { ...INPUT, idempotencyKey: 'k1' } })
  const { id } = again.data.createSwap.job
  const statuses: string[] = []
  for await (const { data } of subscribeSse(gateway.app.url, WATCH, { id })) {
    statuses.push(data.swapJobUpdated.status)
    if (data.swapJobUpdated.status === 'PENDING') release()
    if (data.swapJobUpdated.status === 'ON_QUEUE') {
      const { accepted } = await creating
      accepted.state = { status: 'SUCCESS' }
      await gateway.upstream.sendHook(accepted)
    }
  }
  expect(statuses).toEqual(['PENDING', 'ON_QUEUE', 'SUCCESS'])
})

test('a hundred subscribers around the last change each see it once', async () => {
  const gateway = await openTestApp()
  const { id, accepted } = await createJob(gateway)
  const watchers = Array.from({ length: 100 }, async (_unused, n) => {
    if (n === 50) {
      accepted.state = { status: 'SUCCESS' }
      await gateway.upstream.sendHook(accepted)
    }
    const versions: number[] = []
    for await (const { data } of subscribeSse(gateway.app.url, WATCH, { id }))
      versions.push(data.swapJobUpdated.version)
    return versions
  })
  for (const versions of await Promise.all(watchers)) {
    expect(versions.at(-1)).toBe(3)
    expect(versions).toEqual([...new Set(versions)].toSorted((a, b) => a - b))
  }
})

test('each event of a subscription loads its data again', async () => {
  const gateway = await openTestApp()
  const { id, accepted } = await createJob(gateway)
  const lengths: number[] = []
  for await (const { data } of subscribeSse(
    gateway.app.url,
    'subscription ($id: ID!) { swapJobUpdated(id: $id) { status timeline { version } } }',
    { id },
  )) {
    lengths.push(data.swapJobUpdated.timeline.length)
    if (data.swapJobUpdated.status === 'ON_QUEUE') {
      accepted.state = { status: 'SUCCESS' }
      await gateway.upstream.sendHook(accepted)
    }
  }
  expect(lengths).toEqual([2, 3])
})

describe('a WebSocket', () => {
  test('runs queries and mutations too', async () => {
    const gateway = await openTestApp()
    const { opened, messages, send } = connectWire(gateway.app.url)
    await opened
    send({ type: 'connection_init' })
    await until(() => messages.some(({ type }) => type === 'connection_ack'))
    send({ type: 'subscribe', id: '1', payload: { query: '{ swapJob(id: "job_none") { id } }' } })
    await until(() => messages.some(({ type }) => type === 'complete'))
    expect(messages).toContainEqual({ type: 'next', id: '1', payload: { data: { swapJob: null } } })
  })

  test('returns the errors of a document that cannot run, and stays open', async () => {
    const gateway = await openTestApp()
    const { opened, messages, send, socket } = connectWire(gateway.app.url)
    await opened
    send({ type: 'connection_init' })
    await until(() => messages.length > 0)
    send({ type: 'subscribe', id: '1', payload: { query: '{' } })
    send({ type: 'subscribe', id: '2', payload: { query: '{ nope }' } })
    await until(() => messages.filter(({ type }) => type === 'error').length === 2)
    expect(JSON.stringify(messages)).toContain('Syntax Error')
    expect(socket.readyState).toBe(WebSocket.OPEN)
  })

  test('that sends a frame of more than 64 KiB is closed with 1009; one that sends no JSON with 4400', async () => {
    const { app } = await openTestApp()
    const large = connectWire(app.url)
    await large.opened
    large.socket.send('x'.repeat(65 * 1024))
    expect((await large.closed).code).toBe(1009)
    const odd = connectWire(app.url)
    await odd.opened
    odd.socket.send('not json')
    expect((await odd.closed).code).toBe(4400)
  })

  test('that never sends connection_init is closed with 4408', async () => {
    const { app } = await openTestApp()
    const { opened, closed } = connectWire(app.url)
    await opened
    expect((await closed).code).toBe(4408)
  })

  test('is refused to a page of another origin, and accepted from the same origin or without a browser', async () => {
    const { app } = await openTestApp()
    const open = (origin?: string) =>
      new Promise((resolve) => {
        const url = `${app.url.replace('http', 'ws')}/graphql`
        const socket = new WebSocket(url, 'graphql-transport-ws', origin === undefined ? {} : { origin })
        closeAfterTest(() => socket.terminate())
        socket.on('open', () => resolve('open'))
        socket.on('error', (error) => resolve(error.message))
      })
    for (const origin of ['https://evil.example', 'null', app.url.replace('http', 'https') + '1']) {
      expect(await open(origin), origin).toContain('403')
    }
    expect([await open(app.url), await open()]).toEqual(['open', 'open'])
  })

  test('on another path is refused', async () => {
    const { app } = await openTestApp()
    const socket = new WebSocket(`${app.url.replace('http', 'ws')}/other`)
    closeAfterTest(() => socket.terminate())
    const error = await new Promise((resolve) => {
      socket.on('error', resolve)
    })
    expect(String(error)).toContain('404')
  })

  test('is closed with a code for reconnecting when the gateway stops', async () => {
    const { app } = await openTestApp()
    const { opened, closed } = connectWire(app.url)
    await opened
    await app.close()
    expect((await closed).code).toBe(1012)
  })
})
