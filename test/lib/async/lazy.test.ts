import { expect, test } from 'vitest'
import { lazy } from '../../../src/lib/async/lazy.ts'

test('a lazy value is loaded once, at the first call, even for concurrent callers', async () => {
  let loads = 0
  const get = lazy(async () => (loads += 1))
  expect(loads).toBe(0)
  expect(await Promise.all([get(), get()])).toEqual([1, 1])
  expect(await get()).toBe(1)
})

test('a lazy value is loaded again after a load that failed', async () => {
  let loads = 0
  const get = lazy(async () => {
    loads += 1
    if (loads === 1) throw new Error('not yet')
    return loads
  })
  await expect(get()).rejects.toThrow('not yet')
  expect(await get()).toBe(2)
})
