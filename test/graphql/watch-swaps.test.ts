import { expect, test } from 'vitest'
import { CreateSwapDocument } from '../support/generated.ts'
import { openTestApp, subscribeSse, type TestApp } from '../support/test-app.ts'
import { until } from '../support/until.ts'

const WATCH = `subscription ($filter: SwapJobFilter, $after: String) {
  swapJobsUpdated(filter: $filter, after: $after) { kind cursor gap job { id status version timeline { version } } }
}`
const INPUT = { targetImage: { url: 'https://example.com/t.jpg' }, swapImage: { url: 'https://example.com/f.jpg' } }

interface JobEvent {
  readonly kind: string
  readonly cursor: string
  readonly gap: boolean
  readonly job: {
    readonly id: string
    readonly status: string
    readonly version: number
    readonly timeline: readonly { readonly version: number }[]
  } | null
}

async function createJob(gateway: TestApp, input: object = {}) {
  const { data } = await gateway.graphql(CreateSwapDocument.toString(), { input: { ...INPUT, ...input } })
  const id = String(data.createSwap.job.id)
  const accepted = gateway.upstream.accepted.at(-1)
  const finish = async () => {
    if (!accepted) throw new Error('the upstream took no job')
    accepted.state = { status: 'SUCCESS' }
    await gateway.upstream.sendHook(accepted)
    await until(async () => (await gateway.graphql(`{ swapJob(id: "${id}") { done } }`)).data.swapJob.done)
  }
  return { id, finish }
}

/** Opens the stream and collects its events; `stop` ends it. */
function watch(gateway: TestApp, variables: object = {}) {
  const stop = new AbortController()
  const events: JobEvent[] = []
  const ended = (async () => {
    for await (const { data } of subscribeSse(gateway.app.url, WATCH, variables, stop.signal)) {
      events.push(data.swapJobsUpdated as JobEvent)
    }
  })().catch(() => null)
  return {
    events,
    kinds: () => events.map(({ kind, job }) => (job ? `${kind} ${job.status}` : kind)),
    caughtUp: () => until(() => events.find(({ kind }) => kind === 'CAUGHT_UP')),
    stop: async () => {
      stop.abort()
      await ended
    },
  }
}

test('swapJobsUpdated emits every unfinished job, then CAUGHT_UP, then each change', async () => {
  const gateway = await openTestApp()
  const finished = await createJob(gateway)
  await finished.finish()
  const open = await createJob(gateway)
  const { events, kinds, caughtUp, stop } = watch(gateway)
  await caughtUp()
  expect(kinds()).toEqual(['SNAPSHOT ON_QUEUE', 'CAUGHT_UP'])
  expect(events[0]?.job?.id).toBe(open.id)
  await open.finish()
  const other = await createJob(gateway)
  await until(() => events.at(-1)?.job?.id === other.id && events.at(-1)?.job?.status === 'ON_QUEUE')
  expect(kinds().slice(2, 3)).toEqual(['CHANGE SUCCESS'])
  expect(events.every(({ gap }) => !gap)).toBe(true)
  // Each event loads its data again.
  for (const { job } of events) expect(job?.timeline.length).toBe(job?.version)
  await stop()
})

test('swapJobsUpdated with a cursor emits the current state of each job that changed since then, once', async () => {
  const gateway = await openTestApp()
  const first = await createJob(gateway)
  const before = watch(gateway)
  const { cursor } = await before.caughtUp()
  await before.stop()
  await first.finish()
  const second = await createJob(gateway)
  await second.finish()
  const { events, kinds, caughtUp, stop } = watch(gateway, { after: cursor })
  await caughtUp()
  expect(kinds()).toEqual(['REPLAY SUCCESS', 'REPLAY SUCCESS', 'CAUGHT_UP'])
  expect(events.map(({ job }) => job?.id)).toEqual([first.id, second.id, undefined])
  await stop()
})

test('swapJobsUpdated misses nothing if an interrupted snapshot continues from its last cursor', async () => {
  const gateway = await openTestApp()
  const jobs = [await createJob(gateway), await createJob(gateway), await createJob(gateway)]
  const cut = watch(gateway)
  await until(() => cut.events.length > 0)
  await cut.stop()
  const { events, caughtUp, stop } = watch(gateway, { after: cut.events[0]?.cursor })
  await caughtUp()
  expect(events.slice(0, -1).map(({ job }) => job?.id)).toEqual(jobs.slice(1).map(({ id }) => id))
  await stop()
})

test.each([
  ['older than a day', () => Buffer.from(`1 ${Date.now() - 25 * 60 * 60 * 1_000}`).toString('base64url')],
  ['of a position that no change has reached', () => Buffer.from(`999 ${Date.now()}`).toString('base64url')],
])('swapJobsUpdated with a cursor %s emits a snapshot with `gap: true` on its first event', async (_what, cursor) => {
  const gateway = await openTestApp()
  await createJob(gateway)
  await createJob(gateway)
  const { events, kinds, caughtUp, stop } = watch(gateway, { after: cursor() })
  await caughtUp()
  expect(kinds()).toEqual(['SNAPSHOT ON_QUEUE', 'SNAPSHOT ON_QUEUE', 'CAUGHT_UP'])
  expect(events.map(({ gap }) => gap)).toEqual([true, false, false])
  await stop()
})

test('swapJobsUpdated refuses a malformed cursor', async () => {
  const gateway = await openTestApp()
  for (const after of ['', 'nonsense', Buffer.from('1 2 3').toString('base64url')]) {
    const answers: unknown[] = []
    for await (const { errors } of subscribeSse(gateway.app.url, WATCH, { after })) answers.push(errors?.[0])
    expect(answers).toEqual([
      expect.objectContaining({
        message: expect.stringContaining('Leave it out') as unknown,
        extensions: expect.objectContaining({ code: 'INVALID_INPUT' }) as unknown,
      }),
    ])
  }
})

test('swapJobsUpdated emits only jobs that match the filter, in the snapshot and after it', async () => {
  const gateway = await openTestApp()
  await createJob(gateway, { tags: ['other'] })
  const mine = await createJob(gateway, { tags: ['mine', 'too'] })
  const { events, kinds, caughtUp, stop } = watch(gateway, { filter: { tags: ['mine'] } })
  await caughtUp()
  const later = await createJob(gateway, { tags: ['other'] })
  await later.finish()
  await mine.finish()
  await until(() => events.at(-1)?.job?.status === 'SUCCESS')
  expect(kinds()).toEqual(['SNAPSHOT ON_QUEUE', 'CAUGHT_UP', 'CHANGE SUCCESS'])
  await stop()
})

test('a hundred subscribers to all jobs cause no more queries for a change than one does', async () => {
  const gateway = await openTestApp()
  const job = await createJob(gateway)
  const watchers = Array.from({ length: 100 }, () => watch(gateway))
  await Promise.all(watchers.map(({ caughtUp }) => caughtUp()))
  const before = gateway.queries()
  await job.finish()
  await until(() => watchers.every(({ events }) => events.at(-1)?.job?.status === 'SUCCESS'))
  // Hook, fetch, change and final read query the store; the subscribers add two reads and one of the timeline.
  expect(gateway.queries() - before).toBeLessThan(30)
  await Promise.all(watchers.map(({ stop }) => stop()))
})
