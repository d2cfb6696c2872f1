/** Forged hooks: each gets the response of an unknown path, and costs neither a query nor a write. */
import { Pool } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { closeAfterTest } from '../support/close-after-test.ts'
import { stillClock } from '../support/still-clock.ts'
import { openTestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'
import { CREATE, INPUT, openStage, post, type Stage } from './stage.ts'

let stage: Stage
let token = ''
beforeAll(async () => {
  stage = await openStage()
  await post(stage.url, { query: CREATE, variables: { input: INPUT } })
  token = stage.upstream.accepted[0]?.hookUrl.split('/').at(-1) ?? ''
}, 60_000)
afterAll(() => stage.close())

const send = async (path: string, init: RequestInit = {}) =>
  fetch(`${stage.url}/hooks/swapface/${path}`, { method: 'POST', body: '{"status":"SUCCESS"}', ...init })

describe('a forged hook gets the response of an unknown path', () => {
  test.each<[string, () => string]>([
    ['without a token', () => ''],
    ['with an invented token', () => `job_00000000000000000000000000.${'A'.repeat(22)}`],
    ['with the id alone', () => token.split('.')[0] ?? ''],
    ['with an empty MAC', () => `${token.split('.')[0]}.`],
    ['with a truncated MAC', () => token.slice(0, -1)],
    ['with a MAC that is too long', () => `${token}A`],
    ['with another job’s MAC', () => `job_00000000000000000000000000.${token.split('.')[1]}`],
    ['with a character before it', () => `x${token}`],
    ['with a path below it', () => `${token}/x`],
    ['with an escaped character', () => token.replace('_', '%5f')],
    ['with a NUL after it', () => `${token}%00`],
    ['that is 10 kB', () => 'a'.repeat(10_000)],
  ])('%s', async (_what, path) => {
    const [forged, nothing] = await Promise.all([send(path()), fetch(`${stage.url}/nothing`, { method: 'POST' })])
    expect(forged.status).toBe(404)
    expect(await forged.text()).toBe(await nothing.text())
  })
})

test('a hook with a valid token is refused with 405 unless it is a POST', async () => {
  for (const method of ['GET', 'PUT', 'DELETE', 'PATCH', 'HEAD']) {
    const body = method === 'GET' || method === 'HEAD' ? {} : { body: '{}' }
    expect((await fetch(`${stage.url}/hooks/swapface/${token}`, { method, ...body })).status, method).toBe(405)
  }
})

test('the body of a hook that exceeds its limit is not read to its end', async () => {
  expect((await send(token, { body: 'x'.repeat(300_000) })).status).toBe(413)
})

test('a hook body is not trusted: neither another job’s id, nor a false end, nor an address', async () => {
  const [job] = stage.upstream.accepted
  for (const body of [
    {
      status: 'SUCCESS',
      data: { jobId: job?.id, cdnImage: 'https://evil.example/x.jpg', discordImage: null, quota: 0 },
    },
    { status: 'FAILED', message: 'no face', jobId: job?.id },
    { status: 'SUCCESS', data: { jobId: 'SWAP-FACE-000000000000000000' } },
  ]) {
    expect((await send(token, { body: JSON.stringify(body) })).status).toBe(200)
  }
  await until(() => (job?.fetches ?? 0) > 0)
  const id = token.split('.')[0]
  const { json } = await post(stage.url, { query: `{ swapJob(id: "${id}") { status result { url } } }` })
  expect(json.data.swapJob).toEqual({ status: 'ON_QUEUE', result: null })
})

test('a thousand forged hooks cause no database query', async () => {
  const { app, queries, events } = await openTestApp({ clock: stillClock })
  const before = queries()
  // A busy system refuses some of a thousand concurrent connections.
  const attacker = new Pool(app.url, { connections: 50 })
  closeAfterTest(() => attacker.close())
  const statuses = await Promise.all(
    Array.from({ length: 1_000 }, async (_u, n) => {
      const path = `/hooks/swapface/job_${String(n).padStart(26, '0')}.${'A'.repeat(22)}`
      const { statusCode, body } = await attacker.request({ path, method: 'POST', body: '{}' })
      await body.dump()
      return statusCode
    }),
  )
  expect(new Set(statuses)).toEqual(new Set([404]))
  expect(events.filter(({ name }) => name === 'hookRefused')).toHaveLength(1_000)
  expect(queries() - before).toBeLessThan(10)
})
