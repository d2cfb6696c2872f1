import { expect, test } from 'vitest'
import { createWatchJobs } from '../../src/jobs/watch-jobs.ts'
import { closeAfterTest } from '../support/close-after-test.ts'
import { openLifecycle } from '../support/lifecycle.ts'
import { viewerOf } from '../support/viewer.ts'

test('subscribers of one tenant that are up to date share one read and one event object per change', async () => {
  const { store, bus, clock, create } = await openLifecycle()
  const reads: string[] = []
  const watchJobs = createWatchJobs({
    store: {
      findLastChange: store.findLastChange,
      listChanges: async (tenant, range) => {
        reads.push(tenant)
        return store.listChanges(tenant, range)
      },
    },
    bus,
    clock,
  })
  const feeds = ['a', 'a', 'a', 'b'].map((tenant) => watchJobs(viewerOf(tenant), {}, null).open(() => {}))
  closeAfterTest(() => {
    for (const feed of feeds) feed.close()
  })
  const caughtUp = await Promise.all(feeds.map(async (feed) => feed.read()))
  expect(caughtUp.map((event) => event?.kind)).toEqual(['CAUGHT_UP', 'CAUGHT_UP', 'CAUGHT_UP', 'CAUGHT_UP'])
  reads.length = 0
  await create('job_1')
  const [first, ...others] = await Promise.all(feeds.map(async (feed) => feed.read()))
  expect(first).toMatchObject({ kind: 'CHANGE', job: { id: 'job_1' } })
  expect(others[0]).toBe(first)
  expect(others[1]).toBe(first)
  expect(others[2]).toBeNull()
  expect(reads.toSorted()).toEqual(['a', 'b'])
})
