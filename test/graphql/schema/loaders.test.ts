import { expect, test } from 'vitest'
import { OperationLoaders } from '../../../src/graphql/schema/loaders.ts'

test('jobs are read in batches of twenty: the first at once, each further one in a turn of the caller', async () => {
  const begun: string[] = []
  const nothing = async (ids: readonly string[]) => ids.map(() => null)
  const loaders = new OperationLoaders({
    waitForSlot: async () => {
      begun.push('turn')
    },
    openReading: () => async (ids) => {
      begun.push(`${ids.length} jobs`)
      return ids.map(() => null)
    },
    listTimelines: async (ids) => ids.map(() => []),
    findUploads: nothing,
    findImages: nothing,
    findWebhooks: nothing,
  })
  await loaders.job.loadMany(Array.from({ length: 50 }, (_unused, n) => String(n)))
  expect(begun.toSorted()).toEqual(['10 jobs', '20 jobs', '20 jobs', 'turn', 'turn'])
  expect(begun[0]).toBe('20 jobs')
})
