import { join } from 'node:path'

import Database from 'libsql'
import { afterEach, expect, test } from 'vitest'

import { createClosers } from '../../../src/lib/async/closers.ts'
import { createPlainEngine } from './support/plain-engine.ts'
import { openScriptedHost } from '../../../test/support/scripted-host.ts'
import { JPEG_START, openStage } from './support/swapface-stage.ts'
import { until } from '../../../test/support/until.ts'

const closers = createClosers()
afterEach(() => closers.closeAll())

test('every accepted job is done after a restart, whether it was running, waiting or finished before', async () => {
  const stage = await openStage(closers)
  const finished = await stage.submit()
  await stage.fetchDone(finished)
  stage.engine.hold()
  const jobIds = await Promise.all(Array.from({ length: 8 }, () => stage.submit()))
  await until(() => stage.engine.targets.length > 1)

  await stage.reopen()
  const done = await Promise.all([finished, ...jobIds].map((jobId) => stage.fetchDone(jobId)))
  expect(done.map(({ status }) => status)).toEqual(done.map(() => 'SUCCESS'))
  expect(stage.engine.targets).toHaveLength(8)
})

test('jobs start in the order of their submits, four at a time, even after a restart', async () => {
  const host = await openScriptedHost((request, response) => {
    response.end(Buffer.concat([JPEG_START, Buffer.from(request.path)]))
  })
  closers.add(() => host.close())
  const stage = await openStage(closers, { allowedPrivateHosts: [host.host] })
  stage.engine.hold()
  const submitted: string[] = []
  for (let i = 0; i < 12; i += 1) {
    // oxlint-disable-next-line no-await-in-loop
    submitted.push(await stage.submit({ targetImage: `${host.url}/${i}` }))
  }
  await stage.reopen({ allowedPrivateHosts: [host.host] })
  await Promise.all(submitted.map((jobId) => stage.fetchDone(jobId)))
  const order = stage.engine.targets.map((target) => Number(Buffer.from(target).toString('latin1').split('/')[1]))
  expect(order).toHaveLength(12)
  // Of four running jobs, the first to have its images is swapped first.
  for (const [position, n] of order.entries()) expect(Math.abs(n - position)).toBeLessThan(4)
})

test('close waits neither for a download nor for the engine, and may be called twice', async () => {
  const host = await openScriptedHost(() => undefined)
  closers.add(() => host.close())
  const stage = await openStage(closers, { allowedPrivateHosts: [host.host], downloadTimeoutMs: 600_000 })
  stage.engine.hold()
  await stage.submit()
  await until(() => stage.engine.targets.length === 1)
  await stage.submit({ targetImage: `${host.url}/hang` })
  await until(() => host.requests.length === 1)
  await stage.face.close()
  await stage.face.close()
  await expect(fetch(stage.face.url)).rejects.toThrow('fetch failed')
})

test('orderly restarts do not count as starts of a job', async () => {
  const stage = await openStage(closers)
  stage.engine.hold()
  const jobId = await stage.submit()
  for (let i = 0; i < 4; i += 1) {
    const engine = createPlainEngine()
    engine.hold()
    // oxlint-disable-next-line no-await-in-loop
    await stage.reopen({ engine })
    // oxlint-disable-next-line no-await-in-loop
    await until(() => engine.targets.length === 1)
  }
  await stage.reopen({ engine: createPlainEngine() })
  expect((await stage.fetchDone(jobId)).status).toBe('SUCCESS')
})

test('a job that was running at three crashes fails, and the jobs behind it are done', async () => {
  const stage = await openStage(closers)
  stage.engine.hold()
  const poison = await stage.submit()
  const next = await stage.submit()
  await stage.face.close()
  const db = new Database(join(stage.dataDir, 'swapface', 'jobs.db'))
  db.prepare('UPDATE jobs SET starts = 3 WHERE job_id = ?').run(poison)
  db.close()
  await stage.reopen()
  expect(await stage.fetchDone(poison)).toMatchObject({
    status: 'FAILED',
    message: 'The swap was started 3 times, and the process crashed each time.',
  })
  expect((await stage.fetchDone(next)).status).toBe('SUCCESS')
  expect(stage.engine.targets).toHaveLength(1)
})
