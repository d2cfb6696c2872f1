import { describe, expect, test } from 'vitest'
import { openHookReceiver } from '../../../src/jobs/lifecycle/accept-hook.ts'
import { createHookAddresses } from '../../../src/jobs/lifecycle/hook-addresses.ts'
import { openDiskHookJournal } from '../../../src/journal/disk.ts'
import type { JobStore } from '../../../src/store/job-store.ts'
import { closeAfterTest } from '../../support/close-after-test.ts'
import { createConfirmerOf, type Lifecycle, openLifecycle } from '../../support/lifecycle.ts'
import { makeDataDir } from '../../support/test-app.ts'
import { DOWN, succeeded, UNKNOWN_ID } from '../../support/upstream-port.ts'

const hookAddresses = createHookAddresses('https://gateway.example', ['a-secret-of-some-length'])

/** Creates a hook endpoint for hooks whose body is the id that they name. */
async function openHooks(
  lifecycle: Lifecycle,
  { dir, findJob }: { readonly dir?: string; readonly findJob?: JobStore['findJob'] } = {},
) {
  const { store, upstream, telemetry, clock, stopping, background } = lifecycle
  const folder = dir ?? (await makeDataDir())
  const journal = await openDiskHookJournal(folder)
  let isOpen = true
  const closeJournal = async () => {
    if (isOpen) await journal.close()
    isOpen = false
  }
  closeAfterTest(closeJournal)
  const hooks = openHookReceiver({
    store: { findJob: findJob ?? store.findJob },
    journal,
    upstream,
    confirmer: createConfirmerOf(lifecycle),
    hookAddresses,
    telemetry,
    background,
    clock,
    // The shortest pause between two attempts is a quarter of a second.
    random: () => 0,
    stopping,
  })
  /** Reads the unsettled records that the next process would find in the journal. */
  const listUnsettled = async () => {
    await closeJournal()
    const next = await openDiskHookJournal(folder)
    closeAfterTest(() => next.close())
    return next.left
  }
  return { ...hooks, closeJournal, listUnsettled }
}

describe('the token of a hook', () => {
  test('resolves to its own job', async () => {
    const { recognise } = await openHooks(await openLifecycle())
    const address = hookAddresses.addressOf('job_1')
    expect(recognise(address.slice(address.lastIndexOf('/') + 1))).toBe('job_1')
  })

  test('resolves to no job if it is forged, without a query', async () => {
    const lifecycle = await openLifecycle()
    const findJob = async () => expect.unreachable('the database was asked')
    const { recognise } = await openHooks(lifecycle, { findJob })
    expect(recognise('job_1.AAAAAAAAAAAAAAAAAAAAAA')).toBeNull()
    expect(lifecycle.eventsOf('hookRefused')).toHaveLength(1)
  })
})

test('a hook that cannot be written to the journal is not acknowledged and not followed', async () => {
  const lifecycle = await openLifecycle()
  const findJob = async () => expect.unreachable('the database was asked')
  const { accept, closeJournal } = await openHooks(lifecycle, { findJob })
  await closeJournal()
  expect(await accept('job_1', 'U1')).toBe('notRecorded')
  expect(lifecycle.eventsOf('hookNotRecorded')).toHaveLength(1)
  await lifecycle.background.settled()
})

test('an acknowledged hook is in the journal although the database is unavailable', async () => {
  const lifecycle = await openLifecycle()
  const findJob = async () => {
    throw new Error('the database is away')
  }
  const { accept, listUnsettled } = await openHooks(lifecycle, { findJob })
  expect(await accept('job_1', 'U1')).toBe('recorded')
  await lifecycle.clock.untilPending()
  lifecycle.stop()
  await lifecycle.background.settled()
  expect(await listUnsettled()).toEqual([{ jobId: 'job_1', upstreamId: 'U1' }])
})

test('a hook is confirmed by a fetch, and then settled in the journal', async () => {
  const lifecycle = await openLifecycle()
  const { accept, listUnsettled } = await openHooks(lifecycle)
  await lifecycle.createOnQueue('job_1')
  lifecycle.upstream.planFetches(succeeded('U-job_1'))
  expect(await accept('job_1', 'U-job_1')).toBe('recorded')
  await lifecycle.background.settled()
  expect(await lifecycle.read('job_1')).toMatchObject({ status: 'SUCCESS' })
  expect(await listUnsettled()).toEqual([])
})

/** Waits for the pause after an attempt to follow a hook, and ends it. */
async function passPause({ clock }: Lifecycle): Promise<void> {
  await clock.untilPending()
  clock.advance(1_000)
}

test('a hook is retried until the upstream can be reached', async () => {
  const lifecycle = await openLifecycle()
  const { accept } = await openHooks(lifecycle)
  await lifecycle.createOnQueue('job_1')
  lifecycle.upstream.planFetches(DOWN, DOWN, succeeded('U-job_1'))
  await accept('job_1', 'U-job_1')
  await passPause(lifecycle)
  await passPause(lifecycle)
  await lifecycle.background.settled()
  expect(await lifecycle.read('job_1')).toMatchObject({ status: 'SUCCESS' })
  expect(lifecycle.upstream.fetched).toHaveLength(3)
})

test('a hook is retried until the database is back', async () => {
  const lifecycle = await openLifecycle()
  let isAway = true
  const findJob: JobStore['findJob'] = async (id) => {
    if (isAway) throw new Error('the database is away')
    return lifecycle.store.findJob(id)
  }
  const { accept } = await openHooks(lifecycle, { findJob })
  await lifecycle.createOnQueue('job_1')
  lifecycle.upstream.planFetches(succeeded('U-job_1'))
  expect(await accept('job_1', 'U-job_1')).toBe('recorded')
  await lifecycle.clock.untilPending()
  expect(lifecycle.eventsOf('backgroundFailed')).toEqual([['confirm a hook', new Error('the database is away')]])
  isAway = false
  await passPause(lifecycle)
  await lifecycle.background.settled()
  expect(await lifecycle.read('job_1')).toMatchObject({ status: 'SUCCESS' })
})

test('a hook of a job that the reconciler polls is settled after six attempts', async () => {
  const lifecycle = await openLifecycle()
  const { accept, listUnsettled } = await openHooks(lifecycle)
  await lifecycle.createOnQueue('job_1')
  await accept('job_1', 'U-job_1')
  for (let check = 1; check < 6; check += 1) await passPause(lifecycle)
  await lifecycle.background.settled()
  expect(lifecycle.upstream.fetched).toHaveLength(6)
  expect(await listUnsettled()).toEqual([])
})

test.each<[string, string, string]>([
  ['of a job that is not stored', 'job_unknown', 'U1'],
  ['that names no id for a job without one', 'job_1', ''],
])('a hook %s is settled without a fetch', async (_what, jobId, body) => {
  const lifecycle = await openLifecycle()
  const { accept, listUnsettled } = await openHooks(lifecycle)
  await lifecycle.createUnconfirmed('job_1')
  expect(await accept(jobId, body)).toBe('recorded')
  await lifecycle.background.settled()
  expect(lifecycle.upstream.fetched).toEqual([])
  expect(await listUnsettled()).toEqual([])
})

test('a hook whose id is another job’s is settled after one fetch', async () => {
  const lifecycle = await openLifecycle()
  const { accept, listUnsettled } = await openHooks(lifecycle)
  await lifecycle.createUnconfirmed('job_1')
  lifecycle.upstream.planFetches(succeeded('U1', { hookUrl: 'https://gateway/hooks/other' }))
  await accept('job_1', 'U1')
  await lifecycle.background.settled()
  expect(lifecycle.eventsOf('hookNotBound')).toHaveLength(1)
  expect(await listUnsettled()).toEqual([])
})

test('a duplicate hook is followed once, and ends the pause before the next attempt', async () => {
  const lifecycle = await openLifecycle()
  const { accept, listUnsettled } = await openHooks(lifecycle)
  await lifecycle.createUnconfirmed('job_1')
  lifecycle.upstream.planFetches(UNKNOWN_ID, succeeded('U1'))
  await accept('job_1', 'U1')
  await lifecycle.clock.untilPending()
  expect(await accept('job_1', 'U1')).toBe('recorded')
  // Two fetches of hooks of one job are a second apart.
  await passPause(lifecycle)
  await lifecycle.background.settled()
  expect(lifecycle.upstream.fetched).toEqual(['U1', 'U1'])
  expect(await listUnsettled()).toEqual([])
})

test('hooks that an earlier process left in the journal are followed at startup', async () => {
  const lifecycle = await openLifecycle()
  const dir = await makeDataDir()
  const earlier = await openDiskHookJournal(dir)
  await lifecycle.createUnconfirmed('job_1')
  await earlier.keep({ jobId: 'job_1', upstreamId: 'U1' })
  await earlier.close()
  lifecycle.upstream.planFetches(succeeded('U1'))
  const { listUnsettled } = await openHooks(lifecycle, { dir })
  await lifecycle.background.settled()
  expect(await lifecycle.read('job_1')).toMatchObject({ status: 'SUCCESS', upstreamId: 'U1' })
  expect(await listUnsettled()).toEqual([])
})

describe('checking the hooks of a job once more', () => {
  test.each<[string, boolean]>([
    ['reports that it must be repeated if the upstream is down', false],
    ['is enough if the upstream answers, even if it does not know the id', true],
  ])('%s', async (_what, isReached) => {
    const lifecycle = await openLifecycle()
    const { accept, checkOnceMore } = await openHooks(lifecycle)
    await lifecycle.createUnconfirmed('job_1')
    const outcome = isReached ? UNKNOWN_ID : DOWN
    lifecycle.upstream.planFetches(outcome, outcome)
    await accept('job_1', 'U1')
    await lifecycle.clock.untilPending()
    const checking = checkOnceMore('job_1')
    // Two delays are pending: the pause of the hook, and the second between two fetches.
    await lifecycle.clock.untilPending(2)
    lifecycle.clock.advance(1_000)
    expect(await checking).toBe(isReached)
    lifecycle.stop()
    await lifecycle.background.settled()
  })

  test('is enough for a job without hooks', async () => {
    const { checkOnceMore } = await openHooks(await openLifecycle())
    expect(await checkOnceMore('job_1')).toBe(true)
  })
})
