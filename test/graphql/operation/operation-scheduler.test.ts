import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createOperationScheduler } from '../../../src/graphql/operation/operation-scheduler.ts'

const NO_LIMITS = { check: () => ({ weight: 0, nodes: 0, values: 0, introspection: 0 }) }

test('twenty members of a list are yielded per turn of the event loop, in order', async () => {
  const { spread } = createOperationScheduler(NO_LIMITS)
  const given: number[] = []
  const members = spread(
    'a',
    Array.from({ length: 100 }, (_unused, n) => n),
  )
  const all = Promise.all(members.map(async (member) => given.push(await member)))
  const counts: number[] = []
  while (given.length < 100) {
    await nextTurn()
    counts.push(given.length)
  }
  await all
  expect(given).toEqual(Array.from({ length: 100 }, (_unused, n) => n))
  const steps = counts.map((count, n) => count - (counts[n - 1] ?? 0))
  expect(Math.max(...steps.slice(1))).toBe(20)
  // The first twenty do not wait; two more turns begin before the check.
  expect(steps[0]).toBeLessThanOrEqual(60)
})

test('a list of up to twenty members is yielded without waiting for a turn', () => {
  const { spread } = createOperationScheduler(NO_LIMITS)
  const members = Array.from({ length: 20 }, (_unused, n) => n)
  expect(spread('a', members)).toEqual(members)
})
