import { describe, expect, test } from 'vitest'
import {
  createListJobs,
  DEFAULT_PAGE,
  MAX_PAGE,
  type PageArguments,
  writeListCursor,
} from '../../src/jobs/list-jobs.ts'
import { openLifecycle } from '../support/lifecycle.ts'
import { viewerOf } from '../support/viewer.ts'

/** Opens the lists of a tenant with `count` jobs; job_0 is the oldest. */
async function openLists(count: number, viewer = viewerOf('a')) {
  const lifecycle = await openLifecycle()
  for (let n = 0; n < count; n += 1) {
    await lifecycle.create(`job_${n}`)
    lifecycle.clock.advance(1)
  }
  const listJobs = createListJobs(lifecycle.store)
  const cursors = Array.from({ length: count }, (_unused, n) =>
    writeListCursor({ createdAt: lifecycle.clock.now() - count + n, id: `job_${n}` }),
  )
  const list = async (page: PageArguments, filter = {}) => {
    const { jobs, hasNextPage, hasPreviousPage } = await listJobs(viewer, filter, page)
    return [jobs.map(({ id }) => Number(id.slice('job_'.length))), hasPreviousPage, hasNextPage] as const
  }
  return { list, listJobs, cursors, viewer }
}

describe('a page of jobs', () => {
  test('has twenty jobs by default, the newest first', async () => {
    const { list } = await openLists(DEFAULT_PAGE + 1)
    const [ids, hasPrevious, hasNext] = await list({})
    expect([ids.length, ids[0], hasPrevious, hasNext]).toEqual([DEFAULT_PAGE, DEFAULT_PAGE, false, true])
  })

  test('says whether there are jobs before and after it, in either direction', async () => {
    const { list, cursors } = await openLists(5)
    expect(await list({ first: 2 })).toEqual([[4, 3], false, true])
    expect(await list({ first: 2, after: cursors[3] ?? '' })).toEqual([[2, 1], true, true])
    expect(await list({ first: 2, after: cursors[1] ?? '' })).toEqual([[0], true, false])
    expect(await list({ last: 2 })).toEqual([[1, 0], true, false])
    expect(await list({ last: 2, before: cursors[1] ?? '' })).toEqual([[3, 2], true, true])
    expect(await list({ last: 2, before: cursors[3] ?? '' })).toEqual([[4], false, true])
  })

  test.each<[string, PageArguments, string]>([
    ['of no jobs', { first: 0 }, 'A page has 1 to 100 jobs.'],
    ['of more than a hundred jobs', { last: MAX_PAGE + 1 }, 'A page has 1 to 100 jobs.'],
    ['in both directions', { first: 1, before: 'x' }, 'Use first with after, or last with before.'],
    ['after a malformed cursor', { after: 'x' }, 'That is no cursor of this list.'],
  ])('%s is refused', async (_what, page, message) => {
    const { list } = await openLists(1)
    await expect(list(page)).rejects.toMatchObject({ code: 'INVALID_INPUT', message: expect.stringContaining(message) })
  })

  test('is empty, without a database query, for a filter with a text that no database can hold', async () => {
    const { listJobs, viewer } = await openLists(1)
    const page = await listJobs(viewer, { tags: ['a\0b'] }, {})
    expect([page.jobs, await page.count()]).toEqual([[], 0])
  })

  test('has only the jobs that the watch token names, whatever ids the filter has', async () => {
    const { list } = await openLists(3, viewerOf('a', { jobIds: ['job_1'] }))
    expect(await list({})).toEqual([[1], false, false])
    expect(await list({}, { ids: ['job_0', 'job_1'] })).toEqual([[1], false, false])
    expect(await list({}, { ids: ['job_0'] })).toEqual([[], false, false])
  })
})
