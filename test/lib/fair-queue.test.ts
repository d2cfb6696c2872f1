import { array, assert, asyncProperty, constantFrom, integer } from 'fast-check'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { FairQueue } from '../../src/lib/fair-queue.ts'

test('an owner who has a thousand pieces waiting delays the first piece of another by one', async () => {
  const queue = new FairQueue(1)
  const done: string[] = []
  const run = async (owner: string) => queue.run(owner, () => done.push(owner))
  const all = Array.from({ length: 1_000 }, async () => run('a'))
  const other = run('b')
  await other
  expect(done).toEqual(['a', 'a', 'b'])
  await Promise.all(all)
  expect(done).toHaveLength(1_001)
})

test('a piece that fails rejects for its owner and lets the next one begin', async () => {
  const queue = new FairQueue(1)
  const failed = queue.run('a', async () => Promise.reject(new Error('no')))
  const next = queue.run('a', () => 'yes')
  await expect(failed).rejects.toThrow('no')
  expect(await next).toBe('yes')
})

test('other work of the event loop has its turn between two pieces', async () => {
  const queue = new FairQueue(4)
  const done: string[] = []
  const all = Array.from({ length: 50 }, async () => queue.run('a', () => done.push('piece')))
  setImmediate(() => done.push('other'))
  await Promise.all(all)
  expect(done.indexOf('other')).toBeLessThanOrEqual(2)
})

test('of any pieces all run, in the order of their owner, and no more at a time than allowed', async () => {
  await assert(
    asyncProperty(
      array(constantFrom('a', 'b', 'c'), { maxLength: 40 }),
      integer({ min: 1, max: 4 }),
      async (owners, most) => {
        const queue = new FairQueue(most)
        const order: { readonly owner: string; readonly n: number }[] = []
        let running = 0
        let peak = 0
        await Promise.all(
          owners.map(async (owner, n) =>
            queue.run(owner, async () => {
              running += 1
              peak = Math.max(peak, running)
              order.push({ owner, n })
              await nextTurn()
              running -= 1
            }),
          ),
        )
        expect(order).toHaveLength(owners.length)
        for (const owner of owners) {
          const own = order.filter((one) => one.owner === owner).map(({ n }) => n)
          expect(own).toEqual(own.toSorted((a, b) => a - b))
        }
        expect(peak).toBeLessThanOrEqual(most)
      },
    ),
    { numRuns: 100 },
  )
})
