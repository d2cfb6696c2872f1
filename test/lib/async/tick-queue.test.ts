import { expect, test } from 'vitest'
import { createTickQueue } from '../../../src/lib/async/tick-queue.ts'

test('a burst of work runs in order, a few items in each turn of the event loop', async () => {
  const enqueue = createTickQueue(2)
  const seen: string[] = []
  await new Promise<void>((resolve) => {
    for (const n of [1, 2, 3, 4]) enqueue(() => seen.push(`work ${n}`))
    enqueue(resolve)
    const nextTurn = () => {
      seen.push('turn')
      if (!seen.includes('work 4')) setImmediate(nextTurn)
    }
    setImmediate(nextTurn)
  })
  expect(seen.slice(0, 6)).toEqual(['work 1', 'work 2', 'turn', 'work 3', 'work 4', 'turn'])
})

test('work that is added after the queue was empty also runs', async () => {
  const enqueue = createTickQueue(1)
  const seen: number[] = []
  for (const n of [1, 2]) {
    await new Promise<void>((resolve) => enqueue(resolve))
    seen.push(n)
  }
  expect(seen).toEqual([1, 2])
})
