/** An acknowledged hook takes effect, even if the upstream, the database or the process fails. */
import { expect, test } from 'vitest'
import { CreateSwapDocument } from '../support/generated.ts'
import { openDiskHookJournal } from '../../src/journal/disk.ts'
import { createFastClock } from '../support/fast-clock.ts'
import { openFakeUpstream } from '../support/fake-upstream.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { makeDataDir, openRawDatabaseOf, openTestApp, type TestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const INPUT = { targetImage: { url: 'https://example.com/t.jpg' }, swapImage: { url: 'https://example.com/f.jpg' } }

/** Creates a job whose submit was accepted but whose response was lost: only its hook has its upstream id. */
async function openUnconfirmed(gateway: TestApp) {
  gateway.upstream.planSubmits({ kind: 'acceptAndReset' })
  const { data } = await gateway.graphql(CreateSwapDocument.toString(), { input: INPUT })
  const accepted = gateway.upstream.accepted.at(-1)
  if (!accepted) throw new Error('the upstream took no job')
  expect(data.createSwap.job.status).toBe('UNCONFIRMED')
  return { id: String(data.createSwap.job.id), accepted }
}

const isSuccess = async ({ graphql }: TestApp, id: string) =>
  (await graphql(`{ swapJob(id: "${id}") { status } }`)).data?.swapJob?.status === 'SUCCESS'

test('a hook takes effect later if fetches fail when it arrives', async () => {
  const gateway = await openTestApp({ clock: createFastClock(20) })
  const { id, accepted } = await openUnconfirmed(gateway)
  accepted.state = { status: 'SUCCESS' }
  gateway.upstream.planFetches(...Array.from({ length: 4 }, () => ({ status: 500, body: 'oops' })))
  expect(await gateway.upstream.sendHook(accepted)).toBe(200)
  await until(() => isSuccess(gateway, id))
  expect(gateway.upstream.submits).toBe(1)
})

test('a hook takes effect later if the fetch lags behind it', async () => {
  const gateway = await openTestApp({ clock: createFastClock(20) })
  const { id, accepted } = await openUnconfirmed(gateway)
  const lag = {
    status: 200,
    body: JSON.stringify({ status: 'ON_QUEUE', message: null, jobId: accepted.id, data: null }),
  }
  gateway.upstream.planFetches(lag, lag, lag)
  expect(await gateway.upstream.sendHook(accepted)).toBe(200)
  accepted.state = { status: 'SUCCESS' }
  await until(() => isSuccess(gateway, id))
})

test('a hook takes effect later if the database is unavailable when it arrives', async () => {
  const dataDir = await makeDataDir()
  const gateway = await openTestApp({ dataDir, clock: createFastClock(20) })
  const { id, accepted } = await openUnconfirmed(gateway)
  accepted.state = { status: 'SUCCESS' }
  const other = await openRawDatabaseOf(dataDir)
  await other.exec('alter table jobs rename to away')
  expect(await gateway.upstream.sendHook(accepted)).toBe(200)
  await until(() =>
    gateway.events.some(({ name, args }) => name === 'backgroundFailed' && args[0] === 'confirm a hook'),
  )
  await other.exec('alter table away rename to jobs')
  await until(() => isSuccess(gateway, id))
})

test('a hook takes effect in the next process if its process died after the 200', async () => {
  const dataDir = await makeDataDir()
  const upstream = await openFakeUpstream()
  closeAfterTest(() => upstream.close())
  const first = await openTestApp({ dataDir, upstream })
  const { id, accepted } = await openUnconfirmed(first)
  await first.app.close()
  // The state after a process that acknowledged the hook and then died.
  const journal = await openDiskHookJournal(dataDir)
  await journal.keep({ jobId: id, upstreamId: accepted.id })
  await journal.close()
  accepted.state = { status: 'SUCCESS' }
  const second = await openTestApp({ dataDir, upstream })
  await until(() => isSuccess(second, id))
  expect(upstream.accepted).toHaveLength(1)
})
