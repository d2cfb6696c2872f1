/** The data of a finished job that the store keeps and erases, on both engines. */
import { describe, expect, test } from 'vitest'
import type { SwapJob } from '../../../src/domain/swap-job.ts'
import type { KeySeal, NewSwapJob } from '../../../src/store/job-store.ts'
import { createJobStore } from '../../../src/store/sql/job-store.ts'
import { createWebhookStore } from '../../../src/store/sql/webhook-store.ts'
import { LIMITS, makeNewSwapJob } from '../../support/jobs.ts'
import { openEngine } from '../../support/open-engine.ts'

const NOW = 1_700_000_000_000
const LINKS = { cdnImage: 'https://cdn.example.com/a.jpg', discordImage: null }
const SEAL: KeySeal = {
  sealKey: (tenant, key) => `sealed ${tenant} ${key}`,
  sealFingerprint: (fingerprint, hookUrl) => `sealed ${fingerprint} ${hookUrl}`,
}

async function openStore() {
  const engine = await openEngine()
  const store = createJobStore(engine)
  const create = async (id: string, over: Partial<NewSwapJob> = {}) => {
    const room = { maxInFlight: 100, maxWaiting: 100 }
    const made = await store.createJob(makeNewSwapJob(id, NOW, over), room, LIMITS)
    if (made.kind !== 'created') throw new Error(`the job was not created: ${made.kind}`)
    return made.job
  }
  /** Creates a job that ended in SUCCESS at `finishedAt`. */
  const createDone = async (id: string, finishedAt: number, over: Partial<NewSwapJob> = {}) => {
    const job = await create(id, over)
    const webhook = job.hookUrl === null ? null : { id: `evt_${id}`, url: job.hookUrl, body: `{"of":"${id}"}` }
    const charge = { state: 'CHARGED', quota: 3 } as const
    const patch = { upstreamId: `U-${id}`, links: LINKS, charge, finishedAt, purgeAt: finishedAt + 1_000, wakeAt: null }
    const decision = { kind: 'transition', to: 'SUCCESS', patch } as const
    const done = await store.applyDecision(job, decision, finishedAt, 'FETCH', webhook)
    if (!done) throw new Error('the job was moved meanwhile')
    return done
  }
  const read = async (id: string) => {
    const job = await store.findJob(id)
    if (!job) throw new Error(`${id} is not stored`)
    return job
  }
  return { engine, store, create, createDone, read }
}

const idsOf = (jobs: readonly SwapJob[]) => jobs.map(({ id }) => id)

describe('the jobs without a copy of their result', () => {
  test('include jobs that ended in SUCCESS in the given period, earliest first, up to the limit', async () => {
    const { store, create, createDone } = await openStore()
    await create('job_unfinished')
    await createDone('job_3', NOW + 3)
    await createDone('job_1', NOW + 1)
    await createDone('job_2', NOW + 2)
    expect(idsOf(await store.listWithoutCopy(NOW + 1, NOW + 3, 10))).toEqual(['job_1', 'job_2'])
    expect(idsOf(await store.listWithoutCopy(NOW, NOW + 10, 2))).toEqual(['job_1', 'job_2'])
  })

  test('exclude jobs with a copy, jobs whose copy failed, and erased jobs', async () => {
    const { store, createDone } = await openStore()
    for (const id of ['job_copied', 'job_failed', 'job_erased', 'job_left']) await createDone(id, NOW)
    await store.recordMirror('job_copied', { copyId: 'img_1' })
    await store.recordMirror('job_failed', { failure: 'The result is not an image.' })
    await store.forgetJob('job_erased', NOW, SEAL)
    expect(idsOf(await store.listWithoutCopy(NOW, NOW + 1, 10))).toEqual(['job_left'])
  })
})

describe('the outcome of a copy', () => {
  test('is recorded once, without a new version of the job', async () => {
    const { store, createDone, read } = await openStore()
    const done = await createDone('job_1', NOW)
    expect(await store.recordMirror('job_1', { copyId: 'img_1' })).toBe(true)
    expect(await store.recordMirror('job_1', { copyId: 'img_2' })).toBe(false)
    expect(await store.recordMirror('job_1', { failure: 'too late' })).toBe(false)
    expect(await read('job_1')).toEqual({ ...done, copyId: 'img_1' })
  })

  test('can be a copy after a failure was recorded', async () => {
    const { store, createDone, read } = await openStore()
    await createDone('job_1', NOW)
    await store.recordMirror('job_1', { failure: 'The result could not be stored.' })
    expect(await store.recordMirror('job_1', { copyId: 'img_1' })).toBe(true)
    expect((await read('job_1')).copyId).toBe('img_1')
  })

  test('is not recorded for an erased job, and not for an unknown one', async () => {
    const { store, createDone, read } = await openStore()
    await createDone('job_1', NOW)
    await store.forgetJob('job_1', NOW, SEAL)
    expect(await store.recordMirror('job_1', { copyId: 'img_1' })).toBe(false)
    expect(await store.recordMirror('job_unknown', { copyId: 'img_1' })).toBe(false)
    expect((await read('job_1')).copyId).toBeNull()
  })
})

test('the jobs to erase are those past their retention, the longest overdue first, each once', async () => {
  const { store, create, createDone } = await openStore()
  await create('job_unfinished')
  await createDone('job_2', NOW + 2)
  await createDone('job_1', NOW + 1)
  await createDone('job_later', NOW + 3)
  const now = NOW + 1_002
  expect(idsOf(await store.listToForget(now, 10))).toEqual(['job_1', 'job_2'])
  expect(idsOf(await store.listToForget(now, 1))).toEqual(['job_1'])
  await store.forgetJob('job_1', now, SEAL)
  expect(idsOf(await store.listToForget(now, 10))).toEqual(['job_2'])
})

describe('erasing a job', () => {
  const OWN = {
    clientReference: 'my reference',
    tags: ['red', 'blue'],
    hookUrl: 'https://caller.example.com/hook',
    traceContext: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 vendor=value',
  }

  test('removes addresses, links and the words of its caller, and keeps status, times and charge', async () => {
    const { engine, store, createDone, read } = await openStore()
    const origin = { uploadId: 'img_upload', resultOf: null }
    await createDone('job_1', NOW, { ...OWN, targetOrigin: origin })
    await store.recordMirror('job_1', { copyId: 'img_1' })
    const before = await read('job_1')
    const forgotten = await store.forgetJob('job_1', NOW + 5, SEAL)
    const after = await read('job_1')
    expect(forgotten).toEqual({ before: { ...before, forgottenAt: NOW + 5 }, after })
    expect(after).toEqual({
      ...before,
      forgottenAt: NOW + 5,
      targetImageUrl: '',
      swapImageUrl: '',
      targetOrigin: { uploadId: null, resultOf: null },
      links: null,
      copyId: null,
      clientReference: null,
      tags: [],
      hookUrl: null,
      traceContext: null,
    })
    expect(await engine.db.selectFrom('job_tags').selectAll().execute()).toEqual([])
  })

  test('does nothing to an unfinished, an unknown and an erased job', async () => {
    const { store, create, createDone, read } = await openStore()
    const unfinished = await create('job_unfinished')
    await createDone('job_1', NOW)
    await store.forgetJob('job_1', NOW + 5, SEAL)
    for (const id of ['job_unfinished', 'job_unknown', 'job_1']) {
      expect(await store.forgetJob(id, NOW + 6, SEAL)).toBeNull()
    }
    expect(await read('job_unfinished')).toEqual(unfinished)
    expect((await read('job_1')).forgottenAt).toBe(NOW + 5)
  })

  test('happens once if two callers request it at the same time', async () => {
    const { store, createDone } = await openStore()
    await createDone('job_1', NOW)
    const both = await Promise.all([store.forgetJob('job_1', NOW, SEAL), store.forgetJob('job_1', NOW, SEAL)])
    expect(both.filter((forgotten) => forgotten !== null)).toHaveLength(1)
  })

  test('ends a webhook that was not delivered, and erases its address and body', async () => {
    const { engine, store, createDone } = await openStore()
    await createDone('job_1', NOW, OWN)
    const webhooks = createWebhookStore(engine)
    await store.forgetJob('job_1', NOW, SEAL)
    expect(await webhooks.findByJobs(['job_1'])).toEqual([
      expect.objectContaining({ state: 'EXHAUSTED', url: '', body: '', traceContext: null }),
    ])
    expect(await webhooks.claimDue(NOW + 1_000_000, NOW + 1_000_001, 10, [])).toEqual([])
    expect(await webhooks.replay('job_1', NOW)).toBe(false)
  })

  test('leaves a webhook that was delivered as delivered', async () => {
    const { engine, store, createDone } = await openStore()
    await createDone('job_1', NOW, OWN)
    const webhooks = createWebhookStore(engine)
    const [webhook] = await webhooks.claimDue(NOW, NOW + 1, 10, [])
    if (!webhook) throw new Error('no webhook is due')
    const attempt = { at: NOW, httpStatus: 204, error: null }
    await webhooks.recordAttempt(webhook, attempt, { state: 'DELIVERED', nextAt: null })
    await store.forgetJob('job_1', NOW, SEAL)
    expect(await webhooks.findByJobs(['job_1'])).toEqual([
      expect.objectContaining({ state: 'DELIVERED', url: '', body: '', attempts: [attempt] }),
    ])
  })

  test('seals its idempotency key, which still returns the job', async () => {
    const { store, create, createDone } = await openStore()
    await createDone('job_1', NOW, { ...OWN, idempotency: { key: 'k', fingerprint: 'f', sealedKeys: [] } })
    await store.forgetJob('job_1', NOW, SEAL)
    const again = { key: 'k', fingerprint: 'f', sealedKeys: [SEAL.sealKey('a', 'k')] }
    const room = { maxInFlight: 100, maxWaiting: 100 }
    const existing = await store.createJob(makeNewSwapJob('job_2', NOW, { idempotency: again }), room, LIMITS)
    expect(existing).toMatchObject({
      kind: 'existing',
      job: { id: 'job_1' },
      fingerprint: SEAL.sealFingerprint('f', OWN.hookUrl),
    })
    // The same key of another tenant names another job.
    const other = { key: 'k', fingerprint: 'f', sealedKeys: [SEAL.sealKey('b', 'k')] }
    expect((await create('job_3', { tenant: 'b', idempotency: other })).id).toBe('job_3')
  })
})
