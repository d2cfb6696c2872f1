/** The checks after a start: the upstream key, and whether PUBLIC_URL leads to this gateway. */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import type { Runtime } from '../../src/app/runtime.ts'
import { StartChecks } from '../../src/app/start-checks.ts'
import { createBackground } from '../../src/lib/async/background.ts'
import type { FetchOutcome } from '../../src/upstream/upstream.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { openFakeUpstream } from '../support/fake-upstream.ts'
import { recordTelemetry } from '../support/record-telemetry.ts'
import { openTestApp, type TestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'
import { DOWN, UNKNOWN_ID } from '../support/upstream-port.ts'

const eventsOf = ({ events }: Pick<TestApp, 'events'>, name: string) =>
  events.flatMap((event) => (event.name === name ? [event.args] : []))

interface Options {
  readonly publicUrl?: string
  readonly url?: string
  readonly isEmbedded?: boolean
  readonly fetch?: (id: string) => Promise<FetchOutcome>
}

/** Opens checks that can be stopped; the upstream does not know the id. */
function openChecks({ publicUrl, url = 'http://127.0.0.1:4000', isEmbedded = false, fetch }: Options) {
  const { telemetry, events } = recordTelemetry()
  const stopping = new AbortController()
  const background = createBackground(telemetry.backgroundFailed)
  const runtime: Pick<Runtime, 'background' | 'stopping' | 'telemetry'> = {
    background,
    stopping: stopping.signal,
    telemetry,
  }
  const fetched: string[] = []
  const upstream = {
    fetch: async (id: string) => {
      fetched.push(id)
      return fetch ? fetch(id) : UNKNOWN_ID
    },
  }
  const fetchLimiter = { take: async () => {} }
  const checks = new StartChecks({ runtime, upstream, isEmbedded, fetchLimiter, publicUrl: publicUrl ?? url, url })
  checks.run()
  return { checks, events, fetched, stop: () => stopping.abort(), settled: () => background.settled() }
}

/** Listens on a name that is not loopback for the gateway, although it leads to this machine. */
async function listen(answer: RequestListener): Promise<{ url: string; seen: string[] }> {
  const seen: string[] = []
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`)
    answer(request, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closeAfterTest(async () => {
    server.closeAllConnections()
    await once(server.close(), 'close')
  })
  // Not a loopback name, but the system resolves 0.0.0.0 to this machine.
  return { url: `http://0.0.0.0:${(server.address() as AddressInfo).port}`, seen }
}

test('a start fetches one unknown id, which shows that the key is accepted', async () => {
  const gateway = await openTestApp()
  gateway.app.runStartChecks()
  await until(() => eventsOf(gateway, 'keyAccepted').length === 1)
  expect(gateway.upstream.fetched).toHaveLength(1)
  const { data } = await gateway.graphql('{ swapService { keyAccepted publicUrlReachable } }')
  expect(data.swapService).toEqual({ keyAccepted: true, publicUrlReachable: null })
})

test('a gateway with a wrong key starts, and reports the key once', async () => {
  const upstream = await openFakeUpstream('another key')
  closeAfterTest(() => upstream.close())
  const gateway = await openTestApp({ upstream })
  gateway.app.runStartChecks()
  await until(() => eventsOf(gateway, 'keyRefused').length === 1)
  expect(eventsOf(gateway, 'keyRefused')).toEqual([[401]])
  const { data } = await gateway.graphql('{ swapService { keyAccepted } }')
  expect(data.swapService.keyAccepted).toBe(false)
})

test('the key is not tested at the embedded upstream', async () => {
  const { fetched, settled } = openChecks({ isEmbedded: true })
  await settled()
  expect(fetched).toEqual([])
})

test('an upstream that is down at the start is reported as such, not as a refused key', async () => {
  const { events, settled } = openChecks({ fetch: async () => DOWN })
  await settled()
  expect(events).toEqual([{ name: 'keyNotTested', args: [503, 'HTTP 503'] }])
})

test('a stop does not wait for an upstream or a PUBLIC_URL that does not respond, and reports nothing', async () => {
  const { url, seen } = await listen(() => {})
  const { events, stop, settled } = openChecks({ publicUrl: url, fetch: async () => new Promise(() => {}) })
  await until(() => seen.length === 1)
  stop()
  await settled()
  expect(events).toEqual([])
})

test('PUBLIC_URL is probed with one GET of its /healthz, and is reachable if a gateway responds', async () => {
  const { url, seen } = await listen((_request, response) => response.end('{"status":"alive"}\n'))
  const { checks, events, settled } = openChecks({ publicUrl: `${url}/gateway` })
  expect(checks.isPublicUrlReachable).toBeNull()
  await settled()
  expect(checks.isPublicUrlReachable).toBe(true)
  expect(seen).toEqual(['GET /gateway/healthz'])
  expect(eventsOf({ events }, 'publicUrlProbed')).toEqual([[`${url}/gateway`, null]])
})

test.each<[string, RequestListener, string]>([
  [
    'a page of another program',
    (_request, response) => response.end('<html>welcome</html>'),
    'another program answers there',
  ],
  ['an endless page', (_request, response) => response.end('x'.repeat(100_000)), 'another program answers there'],
  ['an error', (_request, response) => response.writeHead(502).end(), 'HTTP 502'],
  ['a redirect', (_request, response) => response.writeHead(302, { location: '/elsewhere' }).end(), 'HTTP 302'],
  ['a broken connection', (request) => request.socket.destroy(), 'ECONNRESET'],
])('PUBLIC_URL that leads to %s is reported, and no other address is called', async (_what, answer, problem) => {
  const { url, seen } = await listen(answer)
  const { checks, events, settled } = openChecks({ publicUrl: url })
  await settled()
  expect(checks.isPublicUrlReachable).toBe(false)
  expect(eventsOf({ events }, 'publicUrlProbed')).toEqual([[url, problem]])
  expect(seen).toEqual(['GET /healthz'])
})

test('PUBLIC_URL at which nothing listens is reported', async () => {
  const { events, settled } = openChecks({ publicUrl: 'http://0.0.0.0:1' })
  await settled()
  expect(eventsOf({ events }, 'publicUrlProbed')).toEqual([['http://0.0.0.0:1', 'nothing listens there']])
})

test.each([
  ['loopback', { publicUrl: 'http://localhost:1' }],
  ['the listening address', { publicUrl: 'http://0.0.0.0:1', url: 'http://0.0.0.0:1' }],
])('PUBLIC_URL is not probed if it is %s', async (_what, options) => {
  const { checks, events, settled } = openChecks(options)
  await settled()
  expect(checks.isPublicUrlReachable).toBeNull()
  expect(eventsOf({ events }, 'publicUrlProbed')).toEqual([])
})
