import { expect, test } from 'vitest'
import { WaitingWrites } from '../../../src/store/sql/grouped-writes.ts'

const write = (tenant: string, key: string) => ({ tenant, key, run: async () => () => {}, fail: () => {} })
const keysOf = (writes: readonly { readonly key: string | null }[]) => writes.map(({ key }) => key)

test('a group has writes of all tenants that wait, and keeps the order of each', () => {
  const waiting = new WaitingWrites()
  for (const n of [1, 2, 3, 4]) waiting.add(write('a', `a${n}`))
  waiting.add(write('b', 'b1'))
  expect(keysOf(waiting.take(3))).toEqual(['a1', 'b1', 'a2'])
  waiting.add(write('b', 'b2'))
  expect(keysOf(waiting.take(10))).toEqual(['a3', 'b2', 'a4'])
  expect([waiting.isEmpty, waiting.take(10)]).toEqual([true, []])
})
