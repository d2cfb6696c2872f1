import { describe, expect, test } from 'vitest'
import type { Finding } from '../../../src/domain/report.ts'
import { createApplyReport } from '../../../src/jobs/lifecycle/apply-report.ts'
import { createWebhookStore } from '../../../src/store/sql/webhook-store.ts'
import { makeSwapJob } from '../../support/jobs.ts'
import { DEADLINES, MIDDLE, openLifecycle } from '../../support/lifecycle.ts'

const LINKS = { cdnImage: 'https://cdn.example.com/a.jpg', discordImage: null }

function succeeded(upstreamId: string): Finding {
  return { kind: 'succeeded', upstreamId, word: 'SUCCESS', links: LINKS, quota: 3, copyId: null, mirrorFailure: null }
}

const refused: Finding = {
  kind: 'refused',
  failure: { code: 'UPSTREAM_REFUSED', message: 'The upstream refused it.', retryable: false },
}

test('a transition is stored with a new version and a timeline entry before listeners are woken', async () => {
  const { createClaimed, report, bus, store, eventsOf, clock } = await openLifecycle()
  const job = await createClaimed('job_1')
  const seen: Promise<unknown>[] = []
  bus.subscribeJob('job_1', () => seen.push(store.findJob('job_1')))
  clock.advance(40)
  const written = await report(job, { kind: 'accepted', upstreamId: 'U1' })
  expect(written).toMatchObject({ status: 'ON_QUEUE', version: 2, upstreamId: 'U1', leaseUntil: null })
  expect(await Promise.all(seen)).toEqual([written])
  expect(await store.listTimelines(['job_1'])).toEqual([
    [
      expect.objectContaining({ version: 1, status: 'PENDING', source: 'CALLER' }),
      { version: 2, status: 'ON_QUEUE', source: 'SUBMIT', at: clock.now() },
    ],
  ])
  expect(eventsOf('jobMoved')).toEqual([[written, expect.objectContaining({ source: 'SUBMIT' })]])
})

test('a repeated report changes nothing and wakes no listener', async () => {
  const { createOnQueue, report, bus, eventsOf, statusesOf } = await openLifecycle()
  const job = await createOnQueue('job_1')
  const done = await report(job, succeeded('U-job_1'), 'HOOK')
  let wakes = 0
  bus.subscribeJob('job_1', () => (wakes += 1))
  const before = eventsOf('jobMoved').length
  expect(await report(job, succeeded('U-job_1'), 'RECONCILER')).toEqual(done)
  expect(wakes).toBe(0)
  expect(eventsOf('jobMoved')).toHaveLength(before)
  expect(await statusesOf('job_1')).toEqual(['PENDING', 'ON_QUEUE', 'SUCCESS'])
})

test('only one of two concurrent outcomes of a job is written, and both callers get it', async () => {
  const { createOnQueue, report, statusesOf, eventsOf } = await openLifecycle()
  const job = await createOnQueue('job_1')
  const [first, second] = await Promise.all([
    report(job, succeeded('U-job_1'), 'HOOK'),
    report(job, succeeded('U-job_1'), 'RECONCILER'),
  ])
  expect(first.status).toBe('SUCCESS')
  expect(second).toEqual(first)
  expect(await statusesOf('job_1')).toEqual(['PENDING', 'ON_QUEUE', 'SUCCESS'])
  expect(eventsOf('jobMoved')).toHaveLength(2)
})

test('a report that was decided on an outdated state is decided again on the stored state', async () => {
  const { createUnconfirmed, report, statusesOf } = await openLifecycle()
  const outdated = await createUnconfirmed('job_1')
  await report(outdated, { kind: 'unfinished', upstreamId: 'U1', word: 'ON_QUEUE' }, 'HOOK')
  const done = await report(outdated, succeeded('U1'), 'HOOK')
  expect(done).toMatchObject({ status: 'SUCCESS', version: 4 })
  expect(await statusesOf('job_1')).toEqual(['PENDING', 'UNCONFIRMED', 'ON_QUEUE', 'SUCCESS'])
})

test('a report about a job that is not stored changes nothing and returns the job as given', async () => {
  const { report, store, clock, eventsOf } = await openLifecycle()
  const job = makeSwapJob(clock.now(), { id: 'job_unknown', status: 'ON_QUEUE', version: 2, upstreamId: 'U1' })
  expect(await report(job, succeeded('U1'))).toBe(job)
  expect(await store.findJob('job_unknown')).toBeNull()
  expect(eventsOf('jobMoved')).toEqual([])
})

test('applying a report fails after twenty compare-and-set failures', async () => {
  const { createOnQueue, bus, telemetry } = await openLifecycle()
  const job = await createOnQueue('job_1')
  let writes = 0
  const applyReport = createApplyReport({
    store: {
      applyDecision: async () => {
        writes += 1
        return null
      },
      findJob: async () => ({ ...job, version: job.version + writes }),
    },
    bus,
    onRoom: () => {},
    onWebhook: () => {},
    telemetry,
    deadlines: DEADLINES,
    random: MIDDLE,
  })
  await expect(applyReport(job, { source: 'HOOK', at: 1, finding: succeeded('U-job_1') })).rejects.toThrow(
    'changed during each attempt',
  )
  expect(writes).toBe(20)
})

test('a report that cannot be stored rejects and wakes no listener', async () => {
  const { createOnQueue, report, engine, bus, eventsOf } = await openLifecycle()
  const job = await createOnQueue('job_1')
  bus.subscribeJob('job_1', () => expect.unreachable('a listener was woken'))
  const before = eventsOf('jobMoved').length
  await engine.db.destroy()
  await expect(report(job, succeeded('U-job_1'), 'HOOK')).rejects.toThrow('destroyed')
  expect(eventsOf('jobMoved')).toHaveLength(before)
})

describe('an upstream id that another job has', () => {
  test('makes an accepted submit UNCONFIRMED', async () => {
    const { createOnQueue, createClaimed, report, eventsOf } = await openLifecycle()
    await createOnQueue('job_1')
    const job = await createClaimed('job_2')
    const written = await report(job, { kind: 'accepted', upstreamId: 'U-job_1' })
    expect(written).toMatchObject({ status: 'UNCONFIRMED', upstreamId: null })
    expect(eventsOf('upstreamIdTaken')).toHaveLength(1)
  })

  test('does not change the job if a fetch reports it', async () => {
    const { createOnQueue, createUnconfirmed, report, read, eventsOf } = await openLifecycle()
    await createOnQueue('job_1')
    const job = await createUnconfirmed('job_2')
    expect(await report(job, succeeded('U-job_1'), 'HOOK')).toEqual(job)
    expect(await read('job_2')).toEqual(job)
    expect(eventsOf('upstreamIdTaken')).toHaveLength(1)
  })
})

describe('evidence about a finished job', () => {
  test.each<[string, Finding, number]>([
    ['that agrees with it is not reported', succeeded('U-job_1'), 0],
    [
      'that contradicts it is reported and not applied',
      { ...refused, kind: 'failed', upstreamId: 'U-job_1', word: 'FAILED' },
      1,
    ],
    ['that names another upstream id is reported and not applied', { kind: 'accepted', upstreamId: 'U2' }, 1],
  ])('%s', async (_what, finding, reported) => {
    const { createOnQueue, report, read, eventsOf } = await openLifecycle()
    const done = await report(await createOnQueue('job_1'), succeeded('U-job_1'), 'HOOK')
    expect(await report(done, finding, 'FETCH')).toEqual(done)
    expect(await read('job_1')).toEqual(done)
    expect(eventsOf('evidenceTooLate')).toHaveLength(reported)
  })

  test('settles the unknown charge of a LOST job without a new version or a wake-up', async () => {
    const { createOnQueue, report, read, clock, bus, eventsOf } = await openLifecycle()
    const job = await createOnQueue('job_1')
    clock.advance(DEADLINES.onQueueMs)
    const lost = await report(job, { kind: 'overdue', isAnswered: true }, 'RECONCILER')
    expect(lost).toMatchObject({ status: 'LOST', charge: { state: 'UNKNOWN', quota: null } })
    bus.subscribeJob('job_1', () => expect.unreachable('a listener was woken'))
    await report(lost, succeeded('U-job_1'), 'HOOK')
    expect(await read('job_1')).toEqual({ ...lost, charge: { state: 'CHARGED', quota: 3 } })
    expect(eventsOf('evidenceTooLate')).toHaveLength(1)
    expect(eventsOf('lateChargeKnown')).toEqual([[await read('job_1')]])
    await report(await read('job_1'), succeeded('U-job_1'), 'HOOK')
    expect(eventsOf('lateChargeKnown')).toHaveLength(1)
  })
})

test.each<[string, Finding, number]>([
  ['does not announce room upstream when the job is accepted', { kind: 'accepted', upstreamId: 'U1' }, 0],
  ['announces room upstream when the job is refused', refused, 1],
  ['announces room upstream when the job is to be submitted again', { kind: 'released', retryAt: 0 }, 1],
  ['announces room upstream when the job is unconfirmed', { kind: 'unconfirmed' }, 1],
])('a report %s', async (_what, finding, announced) => {
  const { createClaimed, report, wakes } = await openLifecycle()
  await report(await createClaimed('job_1'), finding)
  expect(wakes.room).toBe(announced)
})

describe('the webhook of a job', () => {
  const hookUrl = 'https://caller.example.com/hook'

  test.each(['EVENT', 'DOCUMENT'] as const)('is stored with its final state, as %s', async (hookFormat) => {
    const { createOnQueue, report, engine, wakes } = await openLifecycle()
    const job = await createOnQueue('job_1', { hookUrl, hookFormat })
    const webhooks = createWebhookStore(engine)
    expect(await webhooks.findByJobs(['job_1'])).toEqual([null])
    await report(job, succeeded('U-job_1'), 'HOOK')
    const [webhook] = await webhooks.findByJobs(['job_1'])
    expect(webhook).toMatchObject({ url: hookUrl, attempts: [] })
    expect(JSON.parse(webhook?.body ?? '')).toMatchObject(
      hookFormat === 'EVENT'
        ? { type: 'swap.finished', data: { id: 'job_1', status: 'SUCCESS', version: 3 } }
        : { status: 'SUCCESS', data: { cdnImage: LINKS.cdnImage } },
    )
    expect(wakes.webhook).toBe(1)
  })

  test('is stored once if two final states are reported at the same time', async () => {
    const { createOnQueue, report, engine, wakes } = await openLifecycle()
    const job = await createOnQueue('job_1', { hookUrl })
    await Promise.all([report(job, succeeded('U-job_1'), 'HOOK'), report(job, succeeded('U-job_1'), 'RECONCILER')])
    expect(await engine.db.selectFrom('webhooks').select('job_id').execute()).toHaveLength(1)
    expect(wakes.webhook).toBe(1)
  })

  test('is not stored if the job has no hookUrl', async () => {
    const { createOnQueue, report, engine, wakes } = await openLifecycle()
    await report(await createOnQueue('job_1'), succeeded('U-job_1'), 'HOOK')
    expect(await engine.db.selectFrom('webhooks').select('job_id').execute()).toEqual([])
    expect(wakes.webhook).toBe(0)
  })
})
