import { describe, expect, test } from 'vitest'
import { CreateSwapDocument } from '../support/generated.ts'
import { openFakeUpstream } from '../support/fake-upstream.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { makeDataDir, openTestApp, type TestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'
import { CLIENTS, type Seen } from './drivers.ts'

async function createJob(gateway: TestApp) {
  const input = { targetImage: { url: 'https://example.com/t.jpg' }, swapImage: { url: 'https://example.com/f.jpg' } }
  const { data } = await gateway.graphql(CreateSwapDocument.toString(), { input })
  const accepted = gateway.upstream.accepted.at(-1)
  if (!accepted) throw new Error('the upstream took no job')
  const finish = async () => {
    accepted.state = { status: 'SUCCESS' }
    await gateway.upstream.sendHook(accepted)
  }
  return { id: String(data.createSwap.job.id), finish }
}

/** Collects the events of a client. */
function gather() {
  const jobs: Seen[] = []
  const errors: unknown[] = []
  let completed = 0
  const watcher = {
    next: (job: Seen) => void jobs.push(job),
    error: (error: unknown) => void errors.push(error),
    complete: () => {
      completed += 1
    },
  }
  return { jobs, errors, watcher, completed: () => completed }
}

describe.each(Object.entries(CLIENTS))('%s', (_name, watch) => {
  test('watches a job to its end', async () => {
    const gateway = await openTestApp()
    const { id, finish } = await createJob(gateway)
    const { jobs, errors, watcher, completed } = gather()
    watch(gateway.app.url, id, watcher)
    await until(() => jobs.length === 1)
    await finish()
    await until(() => completed() === 1)
    expect(errors).toEqual([])
    expect(jobs.map(({ status, version, done }) => [status, version, done])).toEqual([
      ['ON_QUEUE', 2, false],
      ['SUCCESS', 3, true],
    ])
  })

  test('watches a job to its end across a restart of the gateway', async () => {
    const upstream = await openFakeUpstream()
    closeAfterTest(() => upstream.close())
    const dataDir = await makeDataDir()
    const first = await openTestApp({ upstream, dataDir })
    const { id, finish } = await createJob(first)
    const { jobs, errors, watcher, completed } = gather()
    watch(first.app.url, id, watcher)
    await until(() => jobs.length === 1)
    await first.app.close()
    await openTestApp({ upstream, dataDir, settings: { PORT: new URL(first.app.url).port } })
    await until(() => jobs.length === 2)
    await finish()
    await until(() => completed() === 1)
    expect(errors).toEqual([])
    expect(jobs.map(({ status, version, done }) => [status, version, done])).toEqual([
      ['ON_QUEUE', 2, false],
      ['ON_QUEUE', 2, false],
      ['SUCCESS', 3, true],
    ])
  })
})
