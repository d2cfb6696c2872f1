import { expect, test } from 'vitest'
import { settleAll } from '../../../src/lib/async/settle-all.ts'

test('settleAll resolves to all values in their order', async () => {
  expect(await settleAll([Promise.resolve(1), 'two', Promise.resolve(null)])).toEqual([1, 'two', null])
})

test('settleAll rejects with the first failure, and not before the slowest promise has settled', async () => {
  let isDone = false
  const slow = (async () => {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve()
    isDone = true
  })()
  const failures = [Promise.reject(new Error('first')), Promise.reject(new Error('second'))]
  await expect(settleAll([slow, ...failures])).rejects.toThrow('first')
  expect(isDone).toBe(true)
})
