import { afterEach, expect, test } from 'vitest'

import { createClosers } from '../../../src/lib/async/closers.ts'
import { openScriptedHost } from '../../../test/support/scripted-host.ts'
import { openStage } from './support/swapface-stage.ts'
import { until } from '../../../test/support/until.ts'

const closers = createClosers()
afterEach(() => closers.closeAll())

/** Opens a receiver that returns these statuses in order and repeats the last one; 0 means no response. */
async function openReceiver(...codes: number[]) {
  const receiver = await openScriptedHost((_request, response) => {
    const code = codes.length > 1 ? codes.shift() : codes[0]
    if (code) response.writeHead(code, { location: '/elsewhere' }).end('seen')
  })
  closers.add(() => receiver.close())
  return receiver
}

function openLog() {
  const attempts: { attempt: number; isDelivered: boolean }[] = []
  return {
    attempts,
    log: (event: { event: string; attempt?: number; isDelivered?: boolean }) => {
      const { attempt = 0, isDelivered = false } = event
      if (event.event === 'hook-sent') attempts.push({ attempt, isDelivered })
    },
  }
}

test('a hook receives the document of fetch once, when its job ends in SUCCESS', async () => {
  const receiver = await openReceiver(200)
  const { attempts, log } = openLog()
  const stage = await openStage(closers, { allowedPrivateHosts: [receiver.host], log })
  stage.engine.hold()
  const hookUrl = `${receiver.url}/hooks/swapface/Zm9v%2f..?a=1&&b`
  const jobId = await stage.submit({ hookUrl })
  await until(() => stage.engine.targets.length === 1)
  expect(receiver.requests).toHaveLength(0)

  stage.engine.release()
  await until(() => attempts.length === 1)
  const document = await (await stage.post('/insightFace/v1/fetch', { jobId })).text()
  expect(JSON.parse(document)).toMatchObject({ status: 'SUCCESS', data: { hookUrl } })
  expect(receiver.requests).toHaveLength(1)
  expect(receiver.requests[0]).toMatchObject({
    method: 'POST',
    path: '/hooks/swapface/Zm9v%2f..?a=1&&b',
    headers: { 'content-type': 'application/json' },
    body: document,
  })
  expect(attempts).toEqual([{ attempt: 1, isDelivered: true }])
})

test('a hook receives the document of a FAILED job', async () => {
  const receiver = await openReceiver(200)
  const stage = await openStage(closers, { allowedPrivateHosts: [receiver.host] })
  const jobId = await stage.submit({ targetImage: 'http://10.0.0.1/', hookUrl: receiver.url })
  const [request] = await until(() => receiver.requests.length > 0 && receiver.requests)
  expect(JSON.parse(request?.body ?? '')).toEqual({
    status: 'FAILED',
    message: 'The target image could not be downloaded: its address is not allowed.',
    jobId,
    data: null,
  })
})

test('a receiver that never returns 200 gets three attempts, and a receiver at a refused address gets none', async () => {
  const receivers = await Promise.all([500, 404, 204, 302, 0].map((code) => openReceiver(code)))
  const forbidden = await openReceiver(200)
  const { attempts, log } = openLog()
  const allowedPrivateHosts = receivers.map(({ host }) => host)
  const stage = await openStage(closers, { allowedPrivateHosts, hookTimeoutMs: 300, log })
  const jobIds = await Promise.all([...receivers, forbidden].map(({ url }) => stage.submit({ hookUrl: url })))

  await until(() => attempts.length === 3 * jobIds.length)
  await stage.reopen()
  const done = await Promise.all(jobIds.map((jobId) => stage.fetchDone(jobId)))
  expect(done.map(({ status }) => status)).toEqual(done.map(() => 'SUCCESS'))
  expect(attempts.some(({ isDelivered }) => isDelivered)).toBe(false)
  expect(forbidden.requests).toHaveLength(0)
  for (const { requests } of receivers) {
    expect(requests).toHaveLength(3)
    expect(new Set(requests.map(({ body }) => body)).size).toBe(1)
  }
})

test('a receiver that returns 200 to the second attempt gets no third one', async () => {
  const receiver = await openReceiver(503, 200)
  const { attempts, log } = openLog()
  const stage = await openStage(closers, { allowedPrivateHosts: [receiver.host], log })
  await stage.submit({ hookUrl: receiver.url })
  await until(() => attempts.length === 2)
  expect(attempts).toEqual([
    { attempt: 1, isDelivered: false },
    { attempt: 2, isDelivered: true },
  ])
  expect(receiver.requests).toHaveLength(2)
})

test('a hook that is pending when the service stops is sent after a restart, and keeps its attempt count', async () => {
  const receiver = await openReceiver(500, 0, 200)
  const { attempts, log } = openLog()
  const stage = await openStage(closers, { allowedPrivateHosts: [receiver.host], hookTimeoutMs: 1000, log })
  const jobId = await stage.submit({ hookUrl: receiver.url })
  await until(() => receiver.requests.length === 2)
  await stage.reopen()
  await until(() => attempts.some(({ isDelivered }) => isDelivered))
  expect(attempts).toEqual([
    { attempt: 1, isDelivered: false },
    { attempt: 3, isDelivered: true },
  ])
  expect(receiver.requests).toHaveLength(3)
  expect(JSON.parse(receiver.requests[2]?.body ?? '')).toEqual(await stage.fetchJob(jobId))
})
