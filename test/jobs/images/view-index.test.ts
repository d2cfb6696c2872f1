import { expect, test } from 'vitest'
import { ViewIndex } from '../../../src/jobs/images/view-index.ts'

const LIMITS = { maxBytesPerTenant: 100, maxBytes: 250, maxAgeMs: 1_000 }
const view = (byteLength: number, usedAt: number) => ({ byteLength, usedAt })

test('the least recently used views of a tenant over its limit are evicted, down to nine tenths of the limit', () => {
  const index = new ViewIndex(LIMITS)
  for (let n = 0; n < 10; n++) index.record('a', `v${n}`, view(10, n))
  index.record('b', 'w', view(100, 0))
  index.record('a', 'v0', view(10, 20))
  expect(index.takeExcess(20)).toEqual([])
  index.record('a', 'v10', view(10, 10))
  expect(index.takeExcess(20)).toEqual(['v1', 'v2'])
  expect(index.takeExcess(20)).toEqual([])
})

test('the tenant with the most bytes loses views if all tenants together exceed the limit', () => {
  const index = new ViewIndex(LIMITS)
  for (const [tenant, bytes] of Object.entries({ a: 90, b: 100, c: 50, d: 20 })) {
    for (let n = 0; n < bytes / 10; n++) index.record(tenant, `${tenant}${n}`, view(10, n))
  }
  const evicted = index.takeExcess(0)
  expect(evicted.length).toBeGreaterThan(0)
  expect(evicted.every((key) => key.startsWith('b'))).toBe(true)
})

test('a view that was not used for the longest time is evicted, whatever its size', () => {
  const index = new ViewIndex(LIMITS)
  index.record('a', 'old', view(1, 0))
  index.record('a', 'new', view(1, 500))
  index.record('a', 'gone', view(1, 0))
  index.forget('a', ['gone'])
  expect(index.takeExcess(1_200)).toEqual(['old'])
})

test('views stay within the limit of each tenant and of all tenants together, in any order of uses', () => {
  const index = new ViewIndex(LIMITS)
  const remaining = new Map<string, number>()
  for (let n = 0; n < 3_000; n++) {
    const tenant = 'abcdef'[Math.floor(Math.random() * 6)] ?? 'a'
    const [key, bytes] = [`${tenant}${Math.floor(Math.random() * 40)}`, 1 + Math.floor(Math.random() * 30)]
    index.record(tenant, key, view(bytes, n))
    remaining.set(key, bytes)
    for (const evicted of index.takeExcess(n)) remaining.delete(evicted)
    const sums = ['a', 'b', 'c', 'd', 'e', 'f'].map((one) =>
      [...remaining].reduce((sum, [name, size]) => sum + (name.startsWith(one) ? size : 0), 0),
    )
    expect(Math.max(...sums)).toBeLessThanOrEqual(LIMITS.maxBytesPerTenant)
    expect(sums.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(LIMITS.maxBytes)
  }
})
