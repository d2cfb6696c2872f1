import { expect, test } from 'vitest'
import { CreateSwapDocument } from '../support/generated.ts'
import { createFastClock } from '../support/fast-clock.ts'
import type { AcceptedJob } from '../support/fake-upstream.ts'
import { stillClock } from '../support/still-clock.ts'
import { openTestApp, type TestApp, type TestAppOptions } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const INPUT = { targetImage: { url: 'https://example.com/t.jpg' }, swapImage: { url: 'https://example.com/f.jpg' } }

async function openWithJob(options: TestAppOptions = {}) {
  const gateway = await openTestApp(options)
  const { data } = await gateway.graphql(CreateSwapDocument.toString(), { input: INPUT })
  const [accepted] = gateway.upstream.accepted
  if (!accepted) throw new Error('the upstream took no job')
  return { gateway, accepted, id: String(data.createSwap.job.id) }
}

const stateOf = async ({ graphql }: TestApp, id: string) =>
  (
    await graphql(
      `{ swapJob(id: "${id}") { status version jobId failure { code message } timeline { status source } } }`,
    )
  ).data.swapJob

const post = async (url: string, body = '{}') => (await fetch(url, { method: 'POST', body })).status

test('a hook gets exactly 200, and takes effect only after a fetch confirms it', async () => {
  const { gateway, accepted, id } = await openWithJob()
  // The hook claims an end that the fetch does not confirm.
  expect(
    await gateway.upstream.sendHook(accepted, JSON.stringify({ status: 'FAILED', jobId: accepted.id, data: null })),
  ).toBe(200)
  await until(() => accepted.fetches === 1)
  expect(await stateOf(gateway, id)).toMatchObject({ status: 'ON_QUEUE', version: 2 })

  accepted.state = { status: 'SUCCESS' }
  expect(await gateway.upstream.sendHook(accepted)).toBe(200)
  const job = await until(async () => {
    const state = await stateOf(gateway, id)
    return state.status === 'SUCCESS' && state
  })
  expect(job.version).toBe(3)
})

test('a hook whose token has one changed character gets 404, changes nothing and causes no query', async () => {
  const { gateway, accepted } = await openWithJob({ clock: stillClock })
  accepted.state = { status: 'SUCCESS' }
  const start = accepted.hookUrl.lastIndexOf('/') + 1
  const [queriesBefore, fetchesBefore] = [gateway.queries(), accepted.fetches]
  let posted = 0
  for (let at = start; at < accepted.hookUrl.length; at += 1) {
    for (let bit = 0; bit < 7; bit += 1) {
      const flipped = String.fromCodePoint((accepted.hookUrl.codePointAt(at) ?? 0) ^ (1 << bit))
      if (!/[\w.~-]/.test(flipped)) continue
      const url = accepted.hookUrl.slice(0, at) + flipped + accepted.hookUrl.slice(at + 1)
      expect(await post(url), url).toBe(404)
      posted += 1
    }
  }
  // A few queries from the creation may still run, but not one per hook.
  expect(gateway.queries() - queriesBefore).toBeLessThan(posted / 10)
  expect(accepted.fetches).toBe(fetchesBefore)
  expect(await post(accepted.hookUrl)).toBe(200)
})

test.each([
  '',
  'x',
  '.',
  'a'.repeat(22),
  '.aaaaaaaaaaaaaaaaaaaaaa',
  `job_x.${'a'.repeat(22)}`,
  '%00',
  'a/b',
  '..%2f..%2f',
])('a hook with the malformed token %j gets 404', async (token) => {
  const { app } = await openTestApp()
  expect(await post(`${app.url}/hooks/swapface/${token}`)).toBe(404)
})

test('a hook is refused if it is not a POST or its body is over the limit', async () => {
  const { accepted } = await openWithJob()
  const get = await fetch(accepted.hookUrl)
  expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST'])
  expect(await post(accepted.hookUrl, 'x'.repeat(300_000))).toBe(413)
})

test('a hook is accepted even if its body is not JSON, because its token names the job', async () => {
  const { gateway, accepted, id } = await openWithJob()
  accepted.state = { status: 'SUCCESS' }
  expect(await gateway.upstream.sendHook(accepted, '<html>')).toBe(200)
  await until(async () => (await stateOf(gateway, id)).status === 'SUCCESS')
})

test('a thousand copies of one hook cause one change and a few fetches', async () => {
  const { gateway, accepted, id } = await openWithJob()
  accepted.state = { status: 'SUCCESS' }
  const statuses = await Promise.all(Array.from({ length: 1_000 }, () => gateway.upstream.sendHook(accepted)))
  expect(new Set(statuses)).toEqual(new Set([200]))
  await until(async () => (await stateOf(gateway, id)).status === 'SUCCESS')
  expect((await stateOf(gateway, id)).version).toBe(3)
  expect(accepted.fetches).toBeLessThanOrEqual(2)
})

test('a hook before the response to the submit attaches the upstream id, and the later response changes nothing', async () => {
  const gateway = await openTestApp()
  gateway.upstream.planSubmits({
    kind: 'acceptAfter',
    until: async (job: AcceptedJob) => {
      job.state = { status: 'SUCCESS' }
      expect(await gateway.upstream.sendHook(job)).toBe(200)
      await until(() => gateway.events.some(({ name }) => name === 'jobMoved'))
    },
  })
  const { data } = await gateway.graphql(CreateSwapDocument.toString(), { input: INPUT })
  const [accepted] = gateway.upstream.accepted
  expect(data.createSwap.job).toMatchObject({ status: 'SUCCESS', version: 2, jobId: accepted?.id })
  const { timeline } = await stateOf(gateway, data.createSwap.job.id)
  expect(timeline).toEqual([
    { status: 'PENDING', source: 'CALLER' },
    { status: 'SUCCESS', source: 'HOOK' },
  ])
})

test('a valid token with a foreign upstream id attaches nothing', async () => {
  const { gateway, accepted: foreign } = await openWithJob()
  foreign.state = { status: 'SUCCESS' }
  gateway.upstream.planSubmits({ kind: 'acceptAndReset' })
  const { data } = await gateway.graphql(CreateSwapDocument.toString(), {
    input: { ...INPUT, targetImage: { url: 'https://example.com/other.jpg' } },
  })
  const own = gateway.upstream.accepted[1]
  if (!own) throw new Error('the upstream took no second job')
  expect(await gateway.upstream.sendHook(own, JSON.stringify({ status: 'SUCCESS', jobId: foreign.id }))).toBe(200)
  await until(() => gateway.events.some(({ name }) => name === 'hookNotBound'))
  expect(await stateOf(gateway, data.createSwap.job.id)).toMatchObject({ status: 'UNCONFIRMED', jobId: null })

  own.state = { status: 'SUCCESS' }
  expect(await gateway.upstream.sendHook(own)).toBe(200)
  await until(async () => (await stateOf(gateway, data.createSwap.job.id)).jobId === own.id)
})

test('a FAILED status is final only if a second fetch confirms it, and a SUCCESS in between wins', async () => {
  const { gateway, accepted, id } = await openWithJob({ clock: createFastClock(20) })
  accepted.state = { status: 'FAILED', message: 'No face was found in the target image.' }
  await gateway.upstream.sendHook(accepted)
  await until(() => accepted.fetches > 0)
  accepted.state = { status: 'SUCCESS' }
  await until(async () => (await stateOf(gateway, id)).status === 'SUCCESS')
  expect((await stateOf(gateway, id)).timeline.map(({ status }: { status: string }) => status)).toEqual([
    'PENDING',
    'ON_QUEUE',
    'SUCCESS',
  ])
})

test('a confirmed FAILED has a message of the gateway with the image and the reason, and costs nothing', async () => {
  const { gateway, accepted, id } = await openWithJob({ clock: createFastClock(20) })
  accepted.state = { status: 'FAILED', message: 'No face was found in the target image. /srv/app/detect.py line 7' }
  await gateway.upstream.sendHook(accepted)
  const job = await until(async () => {
    const state = await stateOf(gateway, id)
    return state.status === 'FAILED' && state
  })
  expect(job.failure).toEqual({ code: 'FACE_NOT_FOUND', message: 'No usable face was found in the target image.' })
  expect(accepted.fetches).toBeGreaterThanOrEqual(2)
})
