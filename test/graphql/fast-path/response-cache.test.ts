import { expect, test } from 'vitest'
import type { SwapJob } from '../../../src/domain/swap-job.ts'
import { createResponseCache } from '../../../src/graphql/fast-path/response-cache.ts'
import { makeSwapJob } from '../../support/jobs.ts'
import { viewerOf } from '../../support/viewer.ts'

const VIEWER = viewerOf('a')
const ANSWER = {
  status: 200,
  type: 'application/json',
  text: '{"data":null}',
  operation: { type: 'query', name: null },
} as const

/** A cache with one response that depends on one job, and a store whose version and job a test sets. */
function openCache(doneAt: string | null) {
  const job = makeSwapJob(0, { id: 'job_1', status: 'SUCCESS' })
  const stored: { version: string; job: SwapJob; reads: number } = { version: '1', job, reads: 0 }
  const cache = createResponseCache({
    jobsVersion: () => stored.version,
    openReading: () => async () => {
      stored.reads += 1
      return [stored.job]
    },
  })
  const key = cache.keyOf(VIEWER, Buffer.from('a request'))
  cache.set(key, ANSWER, { kind: 'jobs', ids: [job.id], jobs: [job], doneAt })
  return { stored, get: async () => cache.get(VIEWER, key, ANSWER.type) }
}

test('a response about finished jobs is sent again without a read while the version of the jobs is the same', async () => {
  const { stored, get } = openCache('1')
  expect(await get()).toEqual(ANSWER)
  expect(stored.reads).toBe(0)
})

test('a response about finished jobs is compared once after the version of the jobs has changed', async () => {
  const { stored, get } = openCache('1')
  stored.version = '2'
  expect([await get(), await get()]).toEqual([ANSWER, ANSWER])
  expect(stored.reads).toBe(1)
})

test('a response is not sent again after its job has changed', async () => {
  const { stored, get } = openCache('1')
  stored.version = '2'
  stored.job = { ...stored.job }
  expect(await get()).toBeNull()
})

test('a response about an unfinished job is read again each time, which may fetch the job', async () => {
  const { stored, get } = openCache(null)
  await get()
  await get()
  expect(stored.reads).toBe(2)
})
