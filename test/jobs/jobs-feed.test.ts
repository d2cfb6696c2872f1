import { describe, expect, test } from 'vitest'
import type { Viewer } from '../../src/auth/viewer.ts'
import type { JobFilter } from '../../src/domain/job-filter.ts'
import { type JobEvent, parseCursor, writeCursor } from '../../src/jobs/jobs-feed.ts'
import { createWatchJobs } from '../../src/jobs/watch-jobs.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { type Lifecycle, openLifecycle } from '../support/lifecycle.ts'
import { viewerOf } from '../support/viewer.ts'

const OWNER = viewerOf('a')
const DAY_MS = 24 * 60 * 60 * 1_000

interface WatchOptions {
  readonly viewer?: Viewer
  readonly filter?: JobFilter
  readonly after?: string | null
}

/** Opens a feed of all jobs of a viewer, and closes it after the test. */
function openFeed(lifecycle: Lifecycle, { viewer = OWNER, filter = {}, after = null }: WatchOptions = {}) {
  const { store, bus, clock } = lifecycle
  const notified = { times: 0 }
  const feed = createWatchJobs({ store, bus, clock })(viewer, filter, after).open(() => {
    notified.times += 1
  })
  closeAfterTest(() => feed.close())
  const readAll = async () => {
    const events: JobEvent[] = []
    for (let event = await feed.read(); event; event = await feed.read()) events.push(event)
    return events
  }
  return { feed, readAll, notified }
}

const brief = (events: readonly JobEvent[]) => events.map(({ kind, job }) => (job ? `${kind} ${job.id}` : kind))

const fail = async ({ report }: Lifecycle, job: Parameters<Lifecycle['report']>[0]) =>
  report(job, {
    kind: 'refused',
    failure: { code: 'UPSTREAM_REFUSED', message: 'The upstream refused it.', retryable: false },
  })

describe('a feed without a cursor', () => {
  test('emits the unfinished jobs in the order of their last change, then CAUGHT_UP, then each change', async () => {
    const lifecycle = await openLifecycle()
    const first = await lifecycle.createClaimed('job_1')
    await fail(lifecycle, await lifecycle.createClaimed('job_2'))
    await lifecycle.create('job_3')
    await lifecycle.report(first, { kind: 'accepted', upstreamId: 'U1' })
    const { readAll, notified } = openFeed(lifecycle)
    expect(brief(await readAll())).toEqual(['SNAPSHOT job_3', 'SNAPSHOT job_1', 'CAUGHT_UP'])
    notified.times = 0
    await lifecycle.createOnQueue('job_4')
    expect(notified.times).toBe(1)
    expect(brief(await readAll())).toEqual(['CHANGE job_4'])
  })

  test('emits a job that changes during the snapshot as a change, in its newest state', async () => {
    const lifecycle = await openLifecycle()
    await lifecycle.createClaimed('job_1')
    const second = await lifecycle.createClaimed('job_2')
    const { feed, readAll } = openFeed(lifecycle)
    const first = await feed.read()
    const failed = await fail(lifecycle, second)
    const events = await readAll()
    expect(first?.job?.id).toBe('job_1')
    const last = events.findLast(({ job }) => job?.id === 'job_2')
    expect(last).toMatchObject({ kind: 'CHANGE', job: { status: failed.status, version: failed.version } })
  })

  test('emits each job once in a snapshot of more than one page', async () => {
    const lifecycle = await openLifecycle()
    const ids = Array.from({ length: 205 }, (_unused, n) => `job_${n}`)
    for (const id of ids) await lifecycle.create(id)
    const events = await openFeed(lifecycle).readAll()
    expect(events.flatMap(({ job }) => job?.id ?? [])).toEqual(ids)
    expect(events.at(-1)?.kind).toBe('CAUGHT_UP')
  })

  test('emits CAUGHT_UP at once if the tenant has no jobs', async () => {
    expect(brief(await openFeed(await openLifecycle()).readAll())).toEqual(['CAUGHT_UP'])
  })
})

describe('a feed from a cursor', () => {
  test('emits each job that changed after it once, in its current state, then CAUGHT_UP', async () => {
    const lifecycle = await openLifecycle()
    await lifecycle.create('job_1')
    const [, caughtUp] = await openFeed(lifecycle).readAll()
    const second = await lifecycle.createOnQueue('job_2')
    const events = await openFeed(lifecycle, { after: caughtUp?.cursor ?? '' }).readAll()
    expect(brief(events)).toEqual(['REPLAY job_2', 'CAUGHT_UP'])
    expect(events[0]).toMatchObject({ job: { version: second.version }, gap: false })
  })

  test('replays finished jobs too', async () => {
    const lifecycle = await openLifecycle()
    const job = await lifecycle.createClaimed('job_1')
    const [snapshot] = await openFeed(lifecycle).readAll()
    await fail(lifecycle, job)
    const events = await openFeed(lifecycle, { after: snapshot?.cursor ?? '' }).readAll()
    expect(events[0]?.job).toMatchObject({ id: 'job_1', status: 'FAILED' })
  })

  test('repeats nothing if it continues from the cursor of any earlier event', async () => {
    const lifecycle = await openLifecycle()
    for (const id of ['job_1', 'job_2', 'job_3']) await lifecycle.createOnQueue(id)
    const events = await openFeed(lifecycle, { after: writeCursor(0, lifecycle.clock.now()) }).readAll()
    for (const [n, { cursor }] of events.entries()) {
      const rest = await openFeed(lifecycle, { after: cursor }).readAll()
      expect(rest.flatMap(({ job }) => job?.id ?? [])).toEqual(events.slice(n + 1).flatMap(({ job }) => job?.id ?? []))
    }
  })

  test.each<[string, (now: number) => string]>([
    ['is older than a day', (now) => writeCursor(1, now - DAY_MS)],
    ['is ahead of the store', (now) => writeCursor(99, now)],
  ])('begins with a snapshot, and marks the gap on its first event, if the cursor %s', async (_what, toCursor) => {
    const lifecycle = await openLifecycle()
    await lifecycle.create('job_1')
    const events = await openFeed(lifecycle, { after: toCursor(lifecycle.clock.now()) }).readAll()
    expect(events.map(({ kind, gap }) => [kind, gap])).toEqual([
      ['SNAPSHOT', true],
      ['CAUGHT_UP', false],
    ])
  })

  test('accepts a cursor until it is a day old', async () => {
    const lifecycle = await openLifecycle()
    await lifecycle.create('job_1')
    const after = writeCursor(0, lifecycle.clock.now() - DAY_MS + 1)
    expect(brief(await openFeed(lifecycle, { after }).readAll())).toEqual(['REPLAY job_1', 'CAUGHT_UP'])
  })
})

describe('the cursor of a feed', () => {
  test('is parsed back to the same value', () => {
    expect(parseCursor(writeCursor(17, 1_700_000_000_000))).toEqual({ sequence: 17, at: 1_700_000_000_000 })
  })

  test.each(['', 'x', Buffer.from('17').toString('base64url'), Buffer.from('-1 2').toString('base64url')])(
    'is refused with INVALID_INPUT if it is malformed: %j',
    (text) => {
      expect(() => parseCursor(text)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }))
    },
  )
})

describe('a feed of all jobs', () => {
  test('emits no job of another tenant, and no job that its watch token does not name', async () => {
    const lifecycle = await openLifecycle()
    await lifecycle.create('job_1')
    await lifecycle.create('job_2')
    await lifecycle.create('job_3', { tenant: 'b' })
    const all = openFeed(lifecycle)
    const one = openFeed(lifecycle, { viewer: viewerOf('a', { jobIds: ['job_2'] }) })
    expect(brief(await all.readAll())).toEqual(['SNAPSHOT job_1', 'SNAPSHOT job_2', 'CAUGHT_UP'])
    expect(brief(await one.readAll())).toEqual(['SNAPSHOT job_2', 'CAUGHT_UP'])
  })

  test('emits only the jobs that match its filter, in the snapshot and afterwards', async () => {
    const lifecycle = await openLifecycle()
    await lifecycle.create('job_1', { tags: ['red'] })
    await lifecycle.create('job_2', { tags: ['blue'] })
    const { readAll } = openFeed(lifecycle, { filter: { tags: ['red'] } })
    expect(brief(await readAll())).toEqual(['SNAPSHOT job_1', 'CAUGHT_UP'])
    await lifecycle.create('job_3', { tags: ['blue'] })
    await lifecycle.create('job_4', { tags: ['red'] })
    expect(brief(await readAll())).toEqual(['CHANGE job_4'])
  })

  test('emits a KEEPALIVE after a repeat is requested, unless a job has changed', async () => {
    const lifecycle = await openLifecycle()
    const { feed, readAll } = openFeed(lifecycle)
    await readAll()
    feed.repeat()
    expect(brief(await readAll())).toEqual(['KEEPALIVE'])
    feed.repeat()
    await lifecycle.create('job_1')
    expect(brief(await readAll())).toEqual(['CHANGE job_1'])
  })

  test('is not notified after it is closed', async () => {
    const lifecycle = await openLifecycle()
    const { feed, notified } = openFeed(lifecycle)
    feed.close()
    await lifecycle.createOnQueue('job_1')
    expect(notified.times).toBe(0)
  })

  test('is refused without the scope swap:read', async () => {
    const lifecycle = await openLifecycle()
    expect(() => openFeed(lifecycle, { viewer: viewerOf('a', { scopes: ['swap:write'] }) })).toThrow('swap:read')
  })
})
