import { expect, test } from 'vitest'
import { createTtlCache } from '../../../src/lib/time/ttl-cache.ts'

test('an entry of the cache lives for its TTL, and for less than twice that', () => {
  let now = 0
  const memory = createTtlCache<number>(100, () => now)
  const ages = new Map<number, Set<boolean>>()
  for (now = 0; now < 1_000; now += 10) {
    memory.set(String(now), now)
    for (let at = 0; at <= now; at += 10) {
      const isKnown = memory.get(String(at)) === at
      ages.set(now - at, (ages.get(now - at) ?? new Set()).add(isKnown))
    }
  }
  const young = [...ages].filter(([age]) => age < 100).flatMap(([, known]) => [...known])
  const old = [...ages].filter(([age]) => age >= 200).flatMap(([, known]) => [...known])
  expect([new Set(young), new Set(old)]).toEqual([new Set([true]), new Set([false])])
})

test('an entry of the cache expires even if no other is added', () => {
  let now = 0
  const memory = createTtlCache<string>(100, () => now)
  memory.set('a', 'x')
  now = 150
  expect(memory.get('a')).toBe('x')
  now = 250
  expect(memory.get('a')).toBeUndefined()
  memory.set('b', 'y')
  now = 10_000
  expect(memory.get('b')).toBeUndefined()
})

test('the cache evicts the oldest entries sooner if it exceeds its size', () => {
  const memory = createTtlCache<string>(
    100,
    () => 0,
    10,
    (_name, value) => value.length,
  )
  for (const name of ['a', 'b', 'c']) memory.set(name, 'x'.repeat(6))
  expect(['a', 'b', 'c'].map((name) => memory.get(name)?.length)).toEqual([undefined, 6, 6])
  memory.clear()
  expect(memory.get('c')).toBeUndefined()
})
