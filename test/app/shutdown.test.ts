import { expect, test } from 'vitest'
import { CreateSwapDocument, SwapJobDocument, WatchSwapJobDocument } from '../support/generated.ts'
import { systemClock } from '../../src/lib/time/clock.ts'
import { holdSubmit } from '../support/hold-submit.ts'
import { makeDataDir, openTestApp, subscribeSse } from '../support/test-app.ts'
import { openFakeUpstream } from '../support/fake-upstream.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { until } from '../support/until.ts'

const INPUT = { targetImage: { url: 'https://example.com/t.jpg' }, swapImage: { url: 'https://example.com/f.jpg' } }

test('a shutdown waits for the submit in progress, records its outcome, and sends the response to its caller', async () => {
  const { app, graphql, upstream } = await openTestApp()
  const release = holdSubmit(upstream)
  const answer = graphql(CreateSwapDocument.toString(), { input: INPUT })
  await until(() => upstream.accepted[0])
  const closed = app.close()
  release()
  expect((await answer).data.createSwap.job).toMatchObject({ status: 'ON_QUEUE', jobId: upstream.accepted[0]?.id })
  await closed
})

test('a shutdown waits slightly longer for a submit than a submit may take', async () => {
  // During the shutdown every delay of up to 30 s, the longest time of a submit, ends at once.
  let isStopping = false
  const clock = {
    ...systemClock,
    after: (ms: number, act: () => void) => systemClock.after(isStopping && ms <= 30_000 ? 0 : ms, act),
  }
  const { app, graphql, upstream } = await openTestApp({ clock })
  const release = holdSubmit(upstream)
  const answer = graphql(CreateSwapDocument.toString(), { input: INPUT })
  await until(() => upstream.accepted[0])
  isStopping = true
  const closed = app.close()
  // Timers that are due at once have fired before this later delay ends.
  await systemClock.delay(0)
  await until(async () => (await fetch(`${app.url}/readyz`).catch(() => null)) === null)
  release()
  expect((await answer).data.createSwap.job).toMatchObject({ status: 'ON_QUEUE', jobId: upstream.accepted[0]?.id })
  await closed
})

test('a shutdown records the outcome of a submit whose caller has disconnected', async () => {
  const dataDir = await makeDataDir()
  const upstream = await openFakeUpstream()
  closeAfterTest(() => upstream.close())
  const first = await openTestApp({ dataDir, upstream })
  const release = holdSubmit(upstream)
  const hangUp = new AbortController()
  const request = fetch(`${first.app.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: CreateSwapDocument.toString(), variables: { input: INPUT } }),
    signal: hangUp.signal,
  }).catch(() => null)
  const accepted = await until(() => upstream.accepted[0])
  hangUp.abort()
  await request
  const closed = first.app.close()
  release()
  await closed
  const second = await openTestApp({ dataDir, upstream })
  const { data } = await second.graphql(SwapJobDocument.toString(), { id: accepted.id })
  expect(data.swapJob).toMatchObject({ status: 'ON_QUEUE', version: 2 })
})

test('a shutdown sends the current state to waiting requests and cuts streams, without waiting for either', async () => {
  const { app, graphql } = await openTestApp()
  const { data } = await graphql(CreateSwapDocument.toString(), { input: INPUT })
  const { id } = data.createSwap.job
  const stream = subscribeSse(app.url, WatchSwapJobDocument.toString(), { id })
  expect((await stream.next()).value.data.swapJobUpdated.status).toBe('ON_QUEUE')
  const waiting = graphql(SwapJobDocument.toString(), { id, waitMs: 25_000 })
  const cut = stream.next()
  await until(async () => (await graphql('{ __typename }')).status === 200)
  const [, answer, ended] = await Promise.all([app.close(), waiting, cut.catch(() => 'cut')])
  expect(answer.data.swapJob.status).toBe('ON_QUEUE')
  // The stream is cut, not completed: completion would mean that the job is done.
  expect(ended).toBe('cut')
})

test('a gateway that shuts down is not ready, still serves for the configured time, and then accepts no connection', async () => {
  let endPhase = () => {}
  const phase = new Promise<void>((resolve) => {
    endPhase = resolve
  })
  // The test ends the delay of the drain.
  const clock = {
    ...systemClock,
    delay: async (ms: number, signal?: AbortSignal) => (ms === 600_000 ? phase : systemClock.delay(ms, signal)),
  }
  const { app, graphql, upstream } = await openTestApp({ clock, settings: { DRAIN_READY_S: '600' } })
  const readiness = async () => (await fetch(`${app.url}/readyz`, { headers: { connection: 'close' } })).status
  expect(await readiness()).toBe(200)
  const closed = app.close()
  expect(await readiness()).toBe(503)
  // Each request uses a new connection.
  const { data } = await graphql(CreateSwapDocument.toString(), { input: INPUT }, { connection: 'close' })
  expect(data.createSwap.job).toMatchObject({ status: 'ON_QUEUE', jobId: upstream.accepted[0]?.id })
  endPhase()
  await closed
  await expect(readiness()).rejects.toThrow('fetch failed')
})
