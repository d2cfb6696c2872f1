import { describe, expect, test } from 'vitest'
import type { Viewer } from '../../src/auth/viewer.ts'
import type { SwapJob } from '../../src/domain/swap-job.ts'
import { createWatcher, type WatcherParts } from '../../src/jobs/watch-job.ts'
import { systemClock } from '../../src/lib/time/clock.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { type Lifecycle, openLifecycle } from '../support/lifecycle.ts'
import { viewerOf } from '../support/viewer.ts'

const OWNER = viewerOf('a')

function createWatcherOf({ store, bus, clock, stopping }: Lifecycle, over: Partial<WatcherParts> = {}) {
  return createWatcher({ store, bus, clock, stopping, ...over })
}

/** Opens a feed of the job, counts its notifications, and closes it after the test. */
async function openFeed(lifecycle: Lifecycle, id: string, watcher = createWatcherOf(lifecycle)) {
  const source = await watcher.watch(OWNER, id)
  if (!source) throw new Error('there is nothing to watch')
  const notified = { times: 0 }
  const feed = source.open(() => {
    notified.times += 1
  })
  closeAfterTest(() => feed.close())
  return { feed, notified }
}

const finish = async ({ report }: Lifecycle, job: SwapJob) =>
  report(
    job,
    {
      kind: 'succeeded',
      upstreamId: `U-${job.id}`,
      word: 'SUCCESS',
      links: { cdnImage: 'https://cdn.example.com/a.jpg', discordImage: null },
      quota: 3,
      copyId: null,
      mirrorFailure: null,
    },
    'HOOK',
  )

describe('the feed of a job', () => {
  test('emits the current state and each newer one, and ends after the final one', async () => {
    const lifecycle = await openLifecycle()
    const claimed = await lifecycle.createClaimed('job_1')
    const { feed, notified } = await openFeed(lifecycle, 'job_1')
    expect(await feed.read()).toMatchObject({ status: 'PENDING', version: 1 })
    expect(await feed.read()).toBeNull()
    const queued = await lifecycle.report(claimed, { kind: 'accepted', upstreamId: 'U-job_1' })
    expect(notified.times).toBe(1)
    expect(await feed.read()).toEqual(queued)
    expect(feed.isOver()).toBe(false)
    const done = await finish(lifecycle, queued)
    expect(await feed.read()).toEqual(done)
    expect(feed.isOver()).toBe(true)
  })

  test('returns only the newest state to a slow reader', async () => {
    const lifecycle = await openLifecycle()
    const claimed = await lifecycle.createClaimed('job_1')
    const { feed } = await openFeed(lifecycle, 'job_1')
    await feed.read()
    const done = await finish(lifecycle, await lifecycle.report(claimed, { kind: 'accepted', upstreamId: 'U-job_1' }))
    expect(await feed.read()).toEqual(done)
  })

  test('misses no change that is made before its first read', async () => {
    const lifecycle = await openLifecycle()
    const queued = await lifecycle.createOnQueue('job_1')
    const { feed, notified } = await openFeed(lifecycle, 'job_1')
    const done = await finish(lifecycle, queued)
    expect(notified.times).toBe(1)
    expect(await feed.read()).toEqual(done)
    expect(feed.isOver()).toBe(true)
  })

  test('misses no change that is made during its first read', async () => {
    const lifecycle = await openLifecycle()
    const queued = await lifecycle.createOnQueue('job_1')
    const { feed, notified } = await openFeed(lifecycle, 'job_1')
    const reading = feed.read()
    const done = await finish(lifecycle, queued)
    const first = await reading
    expect(notified.times).toBe(1)
    expect(feed.isOver() ? first : await feed.read()).toEqual(done)
  })

  test('emits nothing for a duplicate wake-up, or for one without a change', async () => {
    const lifecycle = await openLifecycle()
    const queued = await lifecycle.createOnQueue('job_1')
    const { feed, notified } = await openFeed(lifecycle, 'job_1')
    await feed.read()
    lifecycle.bus.publish(queued)
    lifecycle.bus.publish(queued)
    expect(notified.times).toBe(2)
    expect(await feed.read()).toBeNull()
  })

  test('emits the same state once more after a repeat is requested', async () => {
    const lifecycle = await openLifecycle()
    const queued = await lifecycle.createOnQueue('job_1')
    const { feed } = await openFeed(lifecycle, 'job_1')
    await feed.read()
    feed.repeat()
    expect(await feed.read()).toEqual(queued)
    expect(await feed.read()).toBeNull()
  })

  test('is not notified after it is closed', async () => {
    const lifecycle = await openLifecycle()
    const queued = await lifecycle.createOnQueue('job_1')
    const { feed, notified } = await openFeed(lifecycle, 'job_1')
    feed.close()
    await finish(lifecycle, queued)
    expect(notified.times).toBe(0)
    expect(lifecycle.bus.isWatched('job_1')).toBe(false)
  })

  test('moves the next poll of the job to within ten seconds', async () => {
    const lifecycle = await openLifecycle()
    let job = await lifecycle.createOnQueue('job_1')
    const poll = { kind: 'unfinished', upstreamId: 'U-job_1', word: 'ON_QUEUE' } as const
    for (let n = 0; n < 8; n += 1) job = await lifecycle.report(job, poll, 'RECONCILER')
    expect(job.wakeAt).toBe(lifecycle.clock.now() + 89_000)
    const { feed } = await openFeed(lifecycle, 'job_1')
    await feed.read()
    expect((await lifecycle.read('job_1')).wakeAt).toBe(lifecycle.clock.now() + 10_000)
  })

  test('shares one read and one object with all feeds that the same change notified', async () => {
    const lifecycle = await openLifecycle()
    const queued = await lifecycle.createOnQueue('job_1')
    const reads: (readonly string[])[] = []
    const findJobs: typeof lifecycle.store.findJobs = async (ids) => {
      reads.push(ids)
      return lifecycle.store.findJobs(ids)
    }
    const watcher = createWatcherOf(lifecycle, { store: { ...lifecycle.store, findJobs } })
    const feeds = [await openFeed(lifecycle, 'job_1', watcher), await openFeed(lifecycle, 'job_1', watcher)]
    await Promise.all(feeds.map(async ({ feed }) => feed.read()))
    await finish(lifecycle, queued)
    const [first, second] = await Promise.all(feeds.map(async ({ feed }) => feed.read()))
    expect(second).toBe(first)
    expect(reads).toEqual([['job_1'], ['job_1']])
  })

  test('can be iterated to its end', async () => {
    const lifecycle = await openLifecycle()
    const claimed = await lifecycle.createClaimed('job_1')
    const source = await createWatcherOf(lifecycle).watch(OWNER, 'job_1')
    const statuses: string[] = []
    for await (const { status } of source ?? []) {
      statuses.push(status)
      if (status === 'PENDING') await lifecycle.report(claimed, { kind: 'accepted', upstreamId: 'U-job_1' })
      if (status === 'ON_QUEUE') await finish(lifecycle, await lifecycle.read('job_1'))
    }
    expect(statuses).toEqual(['PENDING', 'ON_QUEUE', 'SUCCESS'])
    expect(lifecycle.bus.isWatched('job_1')).toBe(false)
  })
})

describe('a job', () => {
  test.each<[string, Viewer, string, boolean]>([
    ['can be watched by its tenant under its gateway id', OWNER, 'job_1', true],
    ['can be watched by its tenant under its upstream id', OWNER, 'U-job_1', true],
    ['can be watched with a token for it', viewerOf('a', { jobIds: ['job_1'] }), 'job_1', true],
    ['cannot be watched with a token for another job', viewerOf('a', { jobIds: ['job_2'] }), 'job_1', false],
    ['cannot be watched by another tenant', viewerOf('b'), 'job_1', false],
    ['cannot be watched if it does not exist', OWNER, 'job_2', false],
  ])('%s', async (_what, viewer, id, isFound) => {
    const lifecycle = await openLifecycle()
    await lifecycle.createOnQueue('job_1')
    expect((await createWatcherOf(lifecycle).watch(viewer, id)) !== null).toBe(isFound)
  })

  test('cannot be watched without the scope swap:read', async () => {
    const lifecycle = await openLifecycle()
    const viewer = viewerOf('a', { scopes: ['swap:write'] })
    await expect(createWatcherOf(lifecycle).watch(viewer, 'job_1')).rejects.toThrow('swap:read')
  })
})

describe('waiting for the end of a job', () => {
  const LONG_MS = 600_000

  test('resolves to the job when it ends', async () => {
    const lifecycle = await openLifecycle()
    const queued = await lifecycle.createOnQueue('job_1')
    const waiting = createWatcherOf(lifecycle).awaitDone(queued, LONG_MS)
    const done = await finish(lifecycle, queued)
    expect(await waiting).toEqual(done)
    expect(lifecycle.bus.isWatched('job_1')).toBe(false)
  })

  test('resolves at once if the job has ended since it was read', async () => {
    const lifecycle = await openLifecycle()
    const queued = await lifecycle.createOnQueue('job_1')
    const done = await finish(lifecycle, queued)
    expect(await createWatcherOf(lifecycle).awaitDone(queued, LONG_MS)).toEqual(done)
  })

  test('resolves to the current job when the gateway stops', async () => {
    const lifecycle = await openLifecycle()
    const queued = await lifecycle.createOnQueue('job_1')
    const waiting = createWatcherOf(lifecycle).awaitDone(queued, LONG_MS)
    lifecycle.stop()
    expect(await waiting).toEqual(queued)
    expect(lifecycle.bus.isWatched('job_1')).toBe(false)
  })

  test('resolves to the current job when the timeout expires', async () => {
    const lifecycle = await openLifecycle()
    const queued = await lifecycle.createOnQueue('job_1')
    expect(await createWatcherOf(lifecycle, { clock: systemClock }).awaitDone(queued, 1)).toEqual(queued)
  })

  test('reads nothing if the timeout is zero', async () => {
    const lifecycle = await openLifecycle()
    const queued = await lifecycle.createOnQueue('job_1')
    await lifecycle.engine.db.destroy()
    expect(await createWatcherOf(lifecycle).awaitDone(queued, 0)).toBe(queued)
  })
})
