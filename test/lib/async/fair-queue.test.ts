import { array, assert, asyncProperty, constantFrom, integer } from 'fast-check'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { FairQueue } from '../../../src/lib/async/fair-queue.ts'

test('an owner with a thousand waiting pieces delays the first piece of another owner by one', async () => {
  const { clock } = createRestClock()
  const queue = new FairQueue(1, clock)
  const done: string[] = []
  const run = async (owner: string) => queue.run(owner, () => done.push(owner))
  const all = Array.from({ length: 1_000 }, async () => run('a'))
  const other = run('b')
  await other
  expect(done).toEqual(['a', 'a', 'b'])
  await Promise.all(all)
  expect(done).toHaveLength(1_001)
})

test('a failed piece rejects for its owner and lets the next one begin', async () => {
  const queue = new FairQueue(1)
  const failed = queue.run('a', async () => Promise.reject(new Error('no')))
  const next = queue.run('a', () => 'yes')
  await expect(failed).rejects.toThrow('no')
  expect(await next).toBe('yes')
})

test('the event loop runs other work between two pieces', async () => {
  const queue = new FairQueue(4)
  const done: string[] = []
  const all = Array.from({ length: 50 }, async () => queue.run('a', () => done.push('piece')))
  setImmediate(() => done.push('other'))
  await Promise.all(all)
  expect(done.indexOf('other')).toBeLessThanOrEqual(2)
})

test('all pieces run, in the order of their owner, and never more than the limit at a time', async () => {
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

test('an owner pauses for as long as its piece took while another owner is active, and the other does not wait', async () => {
  const { clock, step, rests } = createRestClock()
  const queue = new FairQueue(4, clock)
  queue.markActive('b')
  const done: string[] = []
  await queue.run('a', () => step(30))
  await nextTurn()
  const second = queue.run('a', () => done.push('a'))
  await queue.run('b', () => done.push('b'))
  await nextTurn()
  expect([rests.map(({ ms }) => ms), done]).toEqual([[30], ['b']])
  rests[0]?.end()
  await second
  expect(done).toEqual(['b', 'a'])
})

test('an owner does not pause if no other owner has been active for a second', async () => {
  const { clock, step, rests } = createRestClock()
  const queue = new FairQueue(4, clock)
  queue.markActive('b')
  step(1_001)
  await queue.run('a', () => step(30))
  await nextTurn()
  expect(await queue.run('a', () => 'at once')).toBe('at once')
  expect(rests).toEqual([])
})

/** Creates a clock that the test advances, and delays that the test ends. */
function createRestClock() {
  let now = 0
  const rests: { readonly ms: number; end(): void }[] = []
  return {
    rests,
    step: (ms: number) => {
      now += ms
    },
    clock: {
      now: () => now,
      after: (ms: number, end: () => void) => {
        rests.push({ ms, end })
        return () => {}
      },
    },
  }
}
