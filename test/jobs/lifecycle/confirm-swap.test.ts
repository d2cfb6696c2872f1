import { describe, expect, test } from 'vitest'
import type { SwapJob, SwapLinks } from '../../../src/domain/swap-job.ts'
import type { CopyOutcome } from '../../../src/jobs/images/mirror-result.ts'
import type { ConfirmerParts } from '../../../src/jobs/lifecycle/confirm-swap.ts'
import type { FetchOutcome } from '../../../src/upstream/upstream.ts'
import { createDeferred } from '../../support/deferred.ts'
import { createConfirmerOf, DEADLINES, openLifecycle } from '../../support/lifecycle.ts'
import { DOWN, failed, succeeded, unfinished, UNKNOWN_ID } from '../../support/upstream-port.ts'

const NOT_YET: CopyOutcome = { copyId: null, mirrorFailure: null }

async function openConfirmer(over: Partial<ConfirmerParts> = {}) {
  const lifecycle = await openLifecycle()
  const copied: SwapLinks[] = []
  const mirror: ConfirmerParts['mirror'] = {
    copySoon: async (_job, links) => {
      copied.push(links)
      return NOT_YET
    },
  }
  const confirmer = createConfirmerOf(lifecycle, { mirror, ...over })
  return {
    ...lifecycle,
    refresh: async (job: SwapJob) => confirmer.refresh(job),
    poll: async (job: SwapJob) => confirmer.poll(job),
    confirmHook: async (job: SwapJob, hintedId: string | null) => confirmer.confirmHook(job, hintedId),
    copied,
  }
}

/** Creates a fetch that the test resolves. */
function holdFetch({ upstream }: Awaited<ReturnType<typeof openConfirmer>>) {
  const answer = createDeferred<FetchOutcome>()
  upstream.planFetches(answer.promise)
  return answer
}

describe('a query', () => {
  test('fetches the job and stores the outcome', async () => {
    const { createOnQueue, refresh, upstream, read } = await openConfirmer()
    const job = await createOnQueue('job_1')
    upstream.planFetches(succeeded('U-job_1'))
    const refreshed = await refresh(job)
    expect(refreshed).toMatchObject({ status: 'SUCCESS', charge: { state: 'CHARGED', quota: 3 } })
    expect(await read('job_1')).toEqual(refreshed)
    expect(upstream.fetched).toEqual(['U-job_1'])
  })

  test('shares the fetch of the same job that another query has started', async () => {
    const opened = await openConfirmer()
    const job = await opened.createOnQueue('job_1')
    const answer = holdFetch(opened)
    const refreshing = [opened.refresh(job), opened.refresh(job), opened.refresh(job)]
    answer.resolve(succeeded('U-job_1'))
    const [first, ...others] = await Promise.all(refreshing)
    expect(first?.status).toBe('SUCCESS')
    expect(others).toEqual([first, first])
    expect(opened.upstream.fetched).toHaveLength(1)
  })

  test('fetches a job at most once a second', async () => {
    const { createOnQueue, refresh, upstream, clock } = await openConfirmer()
    const job = await createOnQueue('job_1')
    await refresh(job)
    clock.advance(999)
    expect(await refresh(job)).toBe(job)
    expect(upstream.fetched).toHaveLength(1)
    clock.advance(1)
    await refresh(job)
    expect(upstream.fetched).toHaveLength(2)
  })

  test('returns the stored job without a fetch if the job is finished or has no upstream id', async () => {
    const { createOnQueue, createClaimed, createUnconfirmed, report, refresh, upstream } = await openConfirmer()
    const done = await report(await createOnQueue('job_1'), { kind: 'overdue', isAnswered: true }, 'RECONCILER')
    const jobs = [await createClaimed('job_2'), await createUnconfirmed('job_3')]
    for (const job of jobs) expect(await refresh(job)).toBe(job)
    upstream.planFetches(succeeded('U-job_1'))
    const success = await refresh(done)
    expect(await refresh(success)).toBe(success)
    expect(upstream.fetched).toHaveLength(1)
  })

  test('returns the stored job without a fetch if FETCH_PER_SECOND is used up', async () => {
    const { clock, ...opened } = await openConfirmer({
      fetchLimiter: { tryTake: async () => false, take: async () => {} },
    })
    const job = await opened.createOnQueue('job_1')
    expect(await opened.refresh(job)).toBe(job)
    expect(opened.upstream.fetched).toEqual([])
    expect(clock.pendingMs).toEqual([])
  })

  test('returns the stored job without a fetch while the upstream is down', async () => {
    const { createOnQueue, refresh, upstream, breaker } = await openConfirmer()
    const job = await createOnQueue('job_1')
    for (let n = 0; n < 5; n += 1) breaker.failed()
    expect(await refresh(job)).toBe(job)
    expect(upstream.fetched).toEqual([])
  })
})

describe('a poll', () => {
  test('fetches the job, advances its schedule, and reports that the upstream answered', async () => {
    const { createOnQueue, poll, clock, upstream } = await openConfirmer()
    const { job, ...verdict } = await poll(await createOnQueue('job_1'))
    expect(verdict).toEqual({ isAnswered: true, isReached: true, isForeign: false })
    expect(job).toMatchObject({ status: 'ON_QUEUE', version: 2, fetches: 1, wakeAt: clock.now() + 3_000 })
    expect(upstream.fetched).toEqual(['U-job_1'])
  })

  test('waits until a second has passed since the last fetch of the job', async () => {
    const { createOnQueue, refresh, poll, clock, upstream } = await openConfirmer()
    const job = await createOnQueue('job_1')
    await refresh(job)
    const polling = poll(job)
    await clock.untilPending()
    expect(clock.pendingMs).toEqual([1_000])
    expect(upstream.fetched).toHaveLength(1)
    clock.advance(1_000)
    expect((await polling).isAnswered).toBe(true)
    expect(upstream.fetched).toHaveLength(2)
  })

  test('for a job that a query is fetching starts its own fetch a second later', async () => {
    const opened = await openConfirmer()
    const job = await opened.createOnQueue('job_1')
    const answer = holdFetch(opened)
    const refreshing = opened.refresh(job)
    const polling = opened.poll(job)
    answer.resolve(unfinished('U-job_1'))
    await refreshing
    await opened.clock.untilPending()
    expect(opened.upstream.fetched).toHaveLength(1)
    opened.clock.advance(1_000)
    expect((await polling).job.fetches).toBe(1)
    expect(opened.upstream.fetched).toHaveLength(2)
  })

  test('shares its fetch with a waiting poll of the same job', async () => {
    const { createOnQueue, refresh, poll, clock, upstream } = await openConfirmer()
    const job = await createOnQueue('job_1')
    await refresh(job)
    const polling = [poll(job), poll(job)]
    await clock.untilPending()
    clock.advance(1_000)
    const [first, second] = await Promise.all(polling)
    expect(second).toBe(first)
    expect(upstream.fetched).toHaveLength(2)
  })

  test('fetches nothing while the upstream is down, and reports that the upstream did not answer', async () => {
    const { createOnQueue, poll, breaker, upstream } = await openConfirmer()
    const job = await createOnQueue('job_1')
    for (let n = 0; n < 5; n += 1) breaker.failed()
    expect(await poll(job)).toEqual({ job, isAnswered: false, isReached: false, isForeign: false })
    expect(upstream.fetched).toEqual([])
  })

  test('that is still waiting when the gateway stops fetches nothing', async () => {
    const { createOnQueue, refresh, poll, clock, stop, upstream } = await openConfirmer()
    const job = await createOnQueue('job_1')
    await refresh(job)
    const polling = poll(job)
    await clock.untilPending()
    stop()
    expect((await polling).isAnswered).toBe(false)
    expect(upstream.fetched).toHaveLength(1)
  })

  test('for a job that ended while it waited fetches nothing and returns the final state', async () => {
    const { createOnQueue, refresh, report, poll, clock, upstream } = await openConfirmer()
    const job = await createOnQueue('job_1')
    await refresh(job)
    const polling = poll(job)
    await clock.untilPending()
    const links = { cdnImage: 'https://cdn.example.com/a.jpg', discordImage: null }
    const word = 'SUCCESS'
    const finding = { upstreamId: 'U-job_1', word, links, quota: 3, copyId: null, mirrorFailure: null } as const
    const done = await report(job, { kind: 'succeeded', ...finding }, 'HOOK')
    clock.advance(1_000)
    expect((await polling).job).toEqual(done)
    expect(upstream.fetched).toHaveLength(1)
  })
})

describe('a fetch without a status of the job', () => {
  test.each<[string, FetchOutcome, boolean]>([
    ['because the upstream is down counts as its failure', DOWN, true],
    ['although the upstream answered does not count as its failure', UNKNOWN_ID, false],
  ])('%s, and does not change the job', async (_what, outcome, isTripped) => {
    const { createOnQueue, poll, upstream, breaker, clock, eventsOf } = await openConfirmer()
    let job = await createOnQueue('job_1')
    for (let n = 0; n < 5; n += 1) {
      upstream.planFetches(outcome)
      const polled = await poll(job)
      expect(polled).toMatchObject({ isAnswered: false, isReached: !isTripped })
      ;({ job } = polled)
      clock.advance(1_000)
    }
    expect(job).toMatchObject({ status: 'ON_QUEUE', version: 2, fetches: 5 })
    expect(breaker.isTripped()).toBe(isTripped)
    expect(eventsOf('fetchEnded')).toHaveLength(5)
  })
})

describe('a hook', () => {
  test('is fetched at once although the job was fetched less than a second ago', async () => {
    const { createOnQueue, refresh, confirmHook, upstream, clock } = await openConfirmer()
    const job = await createOnQueue('job_1')
    await refresh(job)
    upstream.planFetches(succeeded('U-job_1'))
    expect((await confirmHook(job, null)).job.status).toBe('SUCCESS')
    expect(clock.pendingMs).toEqual([])
  })

  test('is fetched at most once a second for each job', async () => {
    const { createOnQueue, confirmHook, upstream, clock } = await openConfirmer()
    const job = await createOnQueue('job_1')
    await confirmHook(job, null)
    const second = confirmHook(job, null)
    await clock.untilPending()
    expect([clock.pendingMs, upstream.fetched.length]).toEqual([[1_000], 1])
    clock.advance(1_000)
    await second
    expect(upstream.fetched).toHaveLength(2)
  })

  test('for a job with an upstream id is fetched by that id, whatever id the hook names', async () => {
    const { createOnQueue, confirmHook, upstream } = await openConfirmer()
    await confirmHook(await createOnQueue('job_1'), 'SWAP-FACE-forged')
    expect(upstream.fetched).toEqual(['U-job_1'])
  })

  test('that names no id fetches nothing for a job without one', async () => {
    const { createUnconfirmed, confirmHook, upstream } = await openConfirmer()
    const job = await createUnconfirmed('job_1')
    expect(await confirmHook(job, null)).toMatchObject({ job, isAnswered: false, isForeign: false })
    expect(upstream.fetched).toEqual([])
  })

  test('fetches nothing for a finished job whose charge is known, and fetches a LOST one for its charge', async () => {
    const { createOnQueue, report, confirmHook, upstream, clock, copied } = await openConfirmer()
    const job = await createOnQueue('job_1')
    clock.advance(DEADLINES.onQueueMs)
    const lost = await report(job, { kind: 'overdue', isAnswered: true }, 'RECONCILER')
    upstream.planFetches(succeeded('U-job_1'))
    const { job: settled } = await confirmHook(lost, null)
    expect(settled).toMatchObject({ status: 'LOST', charge: { state: 'CHARGED', quota: 3 } })
    await confirmHook(settled, null)
    expect(upstream.fetched).toHaveLength(1)
    // The result of a LOST job is not published.
    expect(copied).toEqual([])
  })
})

describe('a hook that names the id of a job without one', () => {
  const ECHO = {
    targetImage: 'https://example.com/t.jpg',
    swapImage: 'https://example.com/f.jpg',
    hookUrl: 'https://gateway/hooks/1',
  }

  test('attaches the id if the fetched document echoes the submitted values', async () => {
    const { createUnconfirmed, confirmHook, upstream } = await openConfirmer()
    upstream.planFetches(succeeded('U1', ECHO))
    const { job, isForeign } = await confirmHook(await createUnconfirmed('job_1'), 'U1')
    expect([job.status, job.upstreamId, isForeign]).toEqual(['SUCCESS', 'U1', false])
  })

  test.each(Object.keys(ECHO))('is foreign if the fetched document echoes another %s', async (member) => {
    const { createUnconfirmed, confirmHook, upstream, eventsOf, read } = await openConfirmer()
    const job = await createUnconfirmed('job_1')
    upstream.planFetches(succeeded('U1', { ...ECHO, [member]: 'https://example.com/T.jpg' }))
    expect(await confirmHook(job, 'U1')).toEqual({ job, isAnswered: true, isReached: true, isForeign: true })
    expect(await read('job_1')).toEqual(job)
    expect(eventsOf('hookNotBound')).toEqual([[job]])
  })

  test('is foreign if another job has the id', async () => {
    const { createOnQueue, createUnconfirmed, confirmHook, upstream } = await openConfirmer()
    await createOnQueue('job_1')
    upstream.planFetches(succeeded('U-job_1', ECHO))
    const job = await createUnconfirmed('job_2')
    expect(await confirmHook(job, 'U-job_1')).toMatchObject({ job, isForeign: true })
  })

  test.each<[string, FetchOutcome, boolean]>([
    ['the job is not finished upstream', unfinished('U1'), true],
    ['the upstream does not know the id', UNKNOWN_ID, true],
    ['the upstream is down', DOWN, false],
  ])('attaches nothing while %s', async (_what, outcome, isReached) => {
    const { createUnconfirmed, confirmHook, upstream } = await openConfirmer()
    const job = await createUnconfirmed('job_1')
    upstream.planFetches(outcome)
    expect(await confirmHook(job, 'U1')).toMatchObject({ job, isReached, isForeign: false })
  })

  test('attaches no id by a document without an echo while a hook with another id waits', async () => {
    const opened = await openConfirmer()
    const job = await opened.createUnconfirmed('job_1')
    // The newest hook is fetched first.
    opened.upstream.planFetches(succeeded('U2'), succeeded('U1', ECHO))
    const [earlier, newest] = [opened.confirmHook(job, 'U1'), opened.confirmHook(job, 'U2')]
    expect(await newest).toMatchObject({ isAnswered: false, isForeign: false, job: { upstreamId: null } })
    await opened.clock.untilPending()
    opened.clock.advance(1_000)
    expect((await earlier).job).toMatchObject({ status: 'SUCCESS', upstreamId: 'U1' })
    expect(opened.upstream.fetched).toEqual(['U2', 'U1'])
  })
})

test('a FAILED becomes final only if a second fetch, two seconds later, agrees', async () => {
  const { createOnQueue, poll, upstream, clock } = await openConfirmer()
  let job = await createOnQueue('job_1')
  const statuses: string[] = []
  for (const afterMs of [0, 1_999, 1_000]) {
    clock.advance(afterMs)
    upstream.planFetches(failed('U-job_1'))
    ;({ job } = await poll(job))
    statuses.push(job.status)
  }
  expect(statuses).toEqual(['ON_QUEUE', 'ON_QUEUE', 'FAILED'])
  expect(job.charge).toEqual({ state: 'NOT_CHARGED', quota: null })
})

test('a FAILED that the second fetch does not repeat is dropped', async () => {
  const { createOnQueue, poll, upstream, clock } = await openConfirmer()
  let job = await createOnQueue('job_1')
  for (const outcome of [failed('U-job_1'), unfinished('U-job_1'), failed('U-job_1')]) {
    upstream.planFetches(outcome)
    ;({ job } = await poll(job))
    clock.advance(2_000)
  }
  expect(job.status).toBe('ON_QUEUE')
})

test.each<[string, CopyOutcome]>([
  ['the copy of its result', { copyId: 'img_1', mirrorFailure: null }],
  ['the reason why there is no copy', { copyId: null, mirrorFailure: 'The result is not an image.' }],
])('a job that ends in SUCCESS is stored together with %s', async (_what, copy) => {
  const { createOnQueue, refresh, upstream } = await openConfirmer({ mirror: { copySoon: async () => copy } })
  upstream.planFetches(succeeded('U-job_1'))
  expect(await refresh(await createOnQueue('job_1'))).toMatchObject({ status: 'SUCCESS', version: 3, ...copy })
})
