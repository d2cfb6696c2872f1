import { expect, test } from 'vitest'
import { type JobFilter, matchesFilter } from '../../src/domain/job-filter.ts'
import type { SwapJob } from '../../src/domain/swap-job.ts'

const JOB = {
  id: 'job_1',
  upstreamId: 'SWAP-FACE-1',
  status: 'ON_QUEUE',
  tags: ['red', 'blue'],
  clientReference: 'order-1',
  createdAt: 1_000,
} as unknown as SwapJob

test.each<[JobFilter, boolean]>([
  [{}, true],
  [{ ids: ['job_1', 'job_2'] }, true],
  [{ ids: ['SWAP-FACE-1'] }, true],
  [{ ids: ['job_2'] }, false],
  [{ ids: [] }, false],
  [{ statuses: ['ON_QUEUE', 'SUCCESS'] }, true],
  [{ statuses: ['SUCCESS'] }, false],
  [{ done: false }, true],
  [{ done: true }, false],
  [{ tags: ['blue'] }, true],
  [{ tags: ['blue', 'green'] }, false],
  [{ clientReference: 'order-1' }, true],
  [{ clientReference: 'order-2' }, false],
  [{ createdFrom: 1_000, createdBefore: 1_001 }, true],
  [{ createdFrom: 1_001 }, false],
  [{ createdBefore: 1_000 }, false],
  [{ ids: null, statuses: null, done: null, tags: null, clientReference: null, createdFrom: null }, true],
  [{ done: false, tags: ['green'] }, false],
])('for the filter %j the match of a job is %j', (filter, matches) => {
  expect(matchesFilter(JOB, filter)).toBe(matches)
})
