import { expect, test } from 'vitest'
import { createReadJobs, MAX_FETCHES_PER_REQUEST } from '../../src/jobs/read-jobs.ts'
import type { SwapJob } from '../../src/domain/swap-job.ts'
import { type Lifecycle, openLifecycle } from '../support/lifecycle.ts'
import { viewerOf } from '../support/viewer.ts'

/** Opens the reads of one request, and records the jobs that they fetch upstream. */
function openReading({ store }: Lifecycle, viewer = viewerOf('a')) {
  const refreshed: string[] = []
  const refresh = async (job: SwapJob) => {
    refreshed.push(job.id)
    return job
  }
  return { readJobs: createReadJobs(viewer, store, { refresh }), refreshed }
}

const idsOf = (jobs: readonly (SwapJob | null)[]) => jobs.map((job) => job?.id ?? null)

test('jobs are returned in the order of the given gateway or upstream ids, with null for each that is not visible', async () => {
  const lifecycle = await openLifecycle()
  await lifecycle.createOnQueue('job_1')
  await lifecycle.createOnQueue('job_2')
  await lifecycle.createOnQueue('job_b', { tenant: 'b' })
  const { readJobs } = openReading(lifecycle)
  const ids = ['job_2', 'job_unknown', 'U-job_1', 'job_b', 'a\0b']
  expect(idsOf(await readJobs(ids))).toEqual(['job_2', null, 'job_1', null, null])
})

test('an id that no database can hold causes no database query', async () => {
  const lifecycle = await openLifecycle()
  await lifecycle.engine.db.destroy()
  expect(await openReading(lifecycle).readJobs(['a\0b'])).toEqual([null])
})

test('only unfinished jobs with an upstream id are fetched upstream', async () => {
  const lifecycle = await openLifecycle()
  await lifecycle.create('job_waiting')
  await lifecycle.createUnconfirmed('job_unconfirmed')
  await lifecycle.createOnQueue('job_queued')
  const done = await lifecycle.createClaimed('job_done')
  const failure = { code: 'UPSTREAM_REFUSED', message: 'Refused.', retryable: false } as const
  await lifecycle.report(done, { kind: 'refused', failure })
  const { readJobs, refreshed } = openReading(lifecycle)
  await readJobs(['job_waiting', 'job_unconfirmed', 'job_queued', 'job_done'])
  expect(refreshed).toEqual(['job_queued'])
})

test('one request fetches at most twenty jobs upstream, over all its reads', async () => {
  const lifecycle = await openLifecycle()
  const ids = Array.from({ length: MAX_FETCHES_PER_REQUEST + 2 }, (_unused, n) => `job_${n}`)
  for (const id of ids) await lifecycle.createOnQueue(id)
  const { readJobs, refreshed } = openReading(lifecycle)
  await readJobs(ids.slice(0, 15))
  expect(idsOf(await readJobs(ids))).toEqual(ids)
  expect(refreshed).toHaveLength(MAX_FETCHES_PER_REQUEST)
})

test('a watch token reads only the jobs that it names', async () => {
  const lifecycle = await openLifecycle()
  await lifecycle.create('job_1')
  await lifecycle.create('job_2')
  const { readJobs } = openReading(lifecycle, viewerOf('a', { jobIds: ['job_2'] }))
  expect(idsOf(await readJobs(['job_1', 'job_2']))).toEqual([null, 'job_2'])
})

test('reading is refused without the scope swap:read', async () => {
  const { readJobs } = openReading(await openLifecycle(), viewerOf('a', { scopes: ['swap:write'] }))
  await expect(readJobs(['job_1'])).rejects.toThrow('swap:read')
})
