import { expect, test } from 'vitest'
import {
  createGroupedWrites,
  type GroupedWrite,
  runGroup,
  WaitingWrites,
} from '../../../src/store/sql/grouped-writes.ts'
import { openDatabase } from '../../../src/store/sqlite/engine.ts'
import { closeAfterTest } from '../../support/close-after-test.ts'

const runner = { isBatch: false, run: async () => {} }
const write = (tenant: string): GroupedWrite => ({ tenant, runner, settle: () => {}, fail: () => {} })

test('a group has writes of all waiting tenants, in the order of each tenant', () => {
  const waiting = new WaitingWrites()
  const all = ['a', 'a', 'a', 'a', 'b', 'b'].map(write)
  for (const one of all.slice(0, 5)) waiting.add(one)
  const take = (count: number) => waiting.take(count).map((one) => all.indexOf(one))
  expect(take(3)).toEqual([0, 4, 1])
  for (const one of all.slice(5)) waiting.add(one)
  expect(take(10)).toEqual([2, 5, 3])
  expect([waiting.isEmpty, waiting.take(10)]).toEqual([true, []])
})

async function openWrites() {
  const { db } = await openDatabase(':memory:', () => {})
  closeAfterTest(() => db.destroy())
  const groups: number[] = []
  const writes = createGroupedWrites(async (waiting) => {
    // Lets the other writes arrive before the group is formed.
    await Promise.resolve()
    const group = waiting.take(3)
    groups.push(group.length)
    try {
      await runGroup(db, group, true)
      for (const one of group) one.settle()
    } catch (error) {
      for (const one of group) one.fail(error)
    }
  })
  return { writes, groups }
}

test('the items of a batch in one group are given to its act together and in order, and each gets its own result', async () => {
  const { writes, groups } = await openWrites()
  const seen: (readonly string[])[] = []
  const load = writes.batch(async (_db, items: readonly string[]) => {
    seen.push(items)
    return items.map((item) => item.toUpperCase())
  })
  expect(await Promise.all(['a', 'b', 'c', 'd'].map(async (item) => load('local', item)))).toEqual(['A', 'B', 'C', 'D'])
  expect(seen).toEqual([['a', 'b', 'c'], ['d']])
  expect(groups).toEqual([3, 1])
})

test('no act and no other batch of the group runs while a batch runs', async () => {
  const { writes } = await openWrites()
  const log: string[] = []
  const step = async (name: string) => {
    log.push(`${name} begins`)
    await Promise.resolve()
    log.push(`${name} ends`)
    return name
  }
  const [first, second] = ['first', 'second'].map((name) =>
    writes.batch(async (_db, items: readonly null[]) => {
      await step(name)
      return items
    }),
  )
  await Promise.all([first?.('local', null), writes.write('local', async () => step('act')), second?.('local', null)])
  expect(log).toEqual(['act begins', 'act ends', 'first begins', 'first ends', 'second begins', 'second ends'])
})

test('a batch that does not return a result for each item fails all items', async () => {
  const { writes } = await openWrites()
  const load = writes.batch(async (_db, items: readonly string[]) => items.slice(1))
  const results = await Promise.allSettled([load('local', 'a'), load('local', 'b')])
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
})
